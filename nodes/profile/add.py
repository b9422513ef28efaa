from engine.profile.operations import Add
from nodes.change import MemberChange


class ProfileAdd(MemberChange, frozen=True, tag="profile.add"):
    """Add members to sets of the profile.

    A missing set is created; a member that the set has already is not added again. A set has at most 1000 members.
    """

    operation = Add
    examples = (
        """\
brands:
  profile.add: {traits.brands: "$.event.properties.items[*].brand"}
""",
    )

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from engine.flow.node import Keys, Sole
from engine.profile.operations import Add, Operation
from nodes.change import Member, ProfileChange, each


class ProfileAdd(ProfileChange, frozen=True, tag="profile.add"):
    """Put members into sets of the profile.

    A set that is missing is begun; a member that is there already stays. A set holds at most 1000 members.
    """

    members: Annotated[
        dict[str, Member | list[Member]],
        Sole(),
        Keys("traits", "pii"),
        Meta(
            description="By the path of the set: a member, or a list of members",
            examples=[{"traits.tags": "early-bird"}, {"traits.tags": ["early-bird", "newsletter"]}],
            min_length=1,
        ),
    ]

    commutes = True
    examples = (
        """\
brands:
  profile.add: {traits.brands: "$.event.properties.items[*].brand"}
""",
    )

    def operations(self) -> Iterable[Operation]:
        """One `add` for each member."""
        return [Add(path, member) for path, member in each(self.members)]

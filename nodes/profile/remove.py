from engine.profile.operations import Remove
from nodes.change import MemberChange


class ProfileRemove(MemberChange, frozen=True, tag="profile.remove"):
    """Remove members from sets of the profile.

    Removing a member that the set does not have has no effect; it is not a failure.
    """

    operation = Remove
    examples = (
        """\
unfollow:
  profile.remove: {traits.topics: "{{ event.properties.topic }}"}
""",
    )

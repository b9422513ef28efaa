from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from engine.flow.node import Keys, Sole
from engine.profile.operations import Operation, Remove
from nodes.change import Member, ProfileChange, each


class ProfileRemove(ProfileChange, frozen=True, tag="profile.remove"):
    """Take members out of sets of the profile.

    Removing a member that is not there is no failure.
    """

    members: Annotated[
        dict[str, Member | list[Member]],
        Sole(),
        Keys("traits", "pii"),
        Meta(
            description="By the path of the set: a member, or a list of members",
            examples=[{"traits.tags": "early-bird"}],
            min_length=1,
        ),
    ]

    commutes = True
    examples = (
        """\
unfollow:
  profile.remove: {traits.topics: "{{ event.properties.topic }}"}
""",
    )

    def operations(self) -> Iterable[Operation]:
        """One `remove` for each member."""
        return [Remove(path, member) for path, member in each(self.members)]

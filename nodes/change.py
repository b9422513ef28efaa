"""Parents of the node types that change the run's profile by operations."""

from collections.abc import Iterable
from typing import Annotated, ClassVar

from msgspec import Meta

from engine.flow.node import Fixed, Keys, Node, NodeContext, Outcome, Port, Reference, Sole
from engine.language.path import parse_path
from engine.profile.operations import Add, Operation, Remove

Member = str | int | float | bool  # of a set; null is never a member


class ProfileChange(Node, frozen=True):
    """A node that changes the run's profile by operations that depend only on its config."""

    uses_profile = True

    done = Port("The profile has been changed", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Leave with the operations, or by `failed` when the run has no profile."""
        if context.profile is None:
            return self.failed(reason="no profile")
        return Outcome("done", None, tuple(self.operations()))

    def operations(self) -> Iterable[Operation]:
        """The operations, in the order in which they are applied."""
        raise TypeError(f"{type(self).__name__} has no `operations`")


class MemberChange(ProfileChange, frozen=True):
    """A node that adds members to sets of the profile, or removes them."""

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

    operation: ClassVar[type[Add] | type[Remove]]
    commutes = True

    def operations(self) -> Iterable[Operation]:
        """One operation for each member."""
        for path, members in self.members.items():
            for member in members if isinstance(members, list) else [members]:
                yield self.operation(parse_path(path), member)


class SegmentChange(ProfileChange, frozen=True):
    """A node that adds the profile to segments, or removes it from them."""

    segments: Annotated[
        str | tuple[str, ...],
        Sole(),
        Fixed(),
        Reference("manual-segment"),
        Meta(description="The segment, or a list of segments", examples=["vip"]),
    ]

    operation: ClassVar[type[Add] | type[Remove]]
    commutes = True

    def operations(self) -> Iterable[Operation]:
        """One operation for each segment."""
        segments = (self.segments,) if isinstance(self.segments, str) else self.segments
        return [self.operation(("segments",), name) for name in segments]

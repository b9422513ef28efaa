"""What the nodes that change the profile have in common."""

from collections.abc import Iterable, Mapping

from engine.flow.node import Node, NodeContext, Outcome, Port
from engine.language.path import parse_path
from engine.profile.document import Path, Scalar
from engine.profile.operations import Operation

Member = str | int | float | bool  # what a set holds; null is nobody's member
Members = Mapping[str, Member | list[Member]]


class ProfileChange(Node, frozen=True):
    """A node that changes the run's profile by operations that depend on nothing but its config."""

    uses_profile = True

    done = Port("The profile has been changed", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Leave with the operations, or by `failed` when the run has no profile."""
        if context.profile is None:
            return self.failed(reason="no profile")
        return Outcome("done", None, tuple(self.operations()))

    def operations(self) -> Iterable[Operation]:
        """What is to be changed."""
        raise TypeError(f"{type(self).__name__} has no `operations`")


def each(members: Members) -> Iterable[tuple[Path, Scalar]]:
    """Every single member with the path of its set, in order of writing."""
    for path, given in members.items():
        for member in given if isinstance(given, list) else [given]:
            yield parse_path(path), member

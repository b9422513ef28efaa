from collections.abc import Iterable
from math import isfinite
from typing import Annotated

from msgspec import Meta

from engine.flow.node import Keys, NodeContext, Outcome, Sole
from engine.language.path import parse_path
from engine.profile.operations import Increment, Operation
from nodes.change import ProfileChange


class ProfileIncrement(ProfileChange, frozen=True, tag="profile.increment"):
    """Add to numbers of the profile.

    A number that is missing counts as 0. What was added under several ids of a profile is summed up.
    """

    amounts: Annotated[
        dict[str, int | float],
        Sole(),
        Keys("traits", "pii"),
        Meta(
            description="What to add by path; a negative number subtracts",
            examples=[{"traits.visits": 1}, {"traits.revenue": "{{ event.properties.total }}"}],
            min_length=1,
        ),
    ]

    commutes = True
    examples = (
        """\
revenue:
  profile.increment: {traits.revenue: "{{ event.properties.total }}", traits.orders: 1}
""",
    )

    def run(self, context: NodeContext) -> Outcome:
        """Add the amounts, all of them numbers that can be added."""
        for path, by in self.amounts.items():
            if not isfinite(by):
                return self.failed(reason=f"{by} cannot be added to `{path}`")
        return super().run(context)

    def operations(self) -> Iterable[Operation]:
        """One `increment` for each path."""
        return [Increment(parse_path(path), by) for path, by in self.amounts.items()]

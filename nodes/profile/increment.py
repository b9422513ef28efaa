from collections.abc import Iterable
from math import isfinite
from typing import Annotated

from msgspec import Meta

from engine.flow.node import Keys, NodeContext, Outcome, Sole
from engine.language.path import parse_path
from engine.profile.operations import Increment, Operation
from nodes.change import ProfileChange


class ProfileIncrement(ProfileChange, frozen=True, tag="profile.increment"):
    """Add amounts to numbers of the profile.

    A missing number counts as 0. Sums of decimals are exact. The amounts of several ids of a profile are added up.
    """

    amounts: Annotated[
        dict[str, int | float],
        Sole(),
        Keys("traits", "pii"),
        Meta(
            description="The amounts to add, by path; a negative amount is subtracted",
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
        """Add the amounts; leave by `failed` when one is not a finite number."""
        for path, amount in self.amounts.items():
            if isinstance(amount, float) and not isfinite(amount):
                return self.failed(reason=f"{amount} cannot be added to `{path}`")
        return super().run(context)

    def operations(self) -> Iterable[Operation]:
        """One `increment` for each path."""
        return [Increment(parse_path(path), amount) for path, amount in self.amounts.items()]

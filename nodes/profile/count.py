from math import isfinite
from typing import Annotated

from msgspec import Meta

from engine.flow.node import Counters, NodeContext, Outcome, Sole
from engine.profile.operations import Count
from nodes.change import ProfileChange


class ProfileCount(ProfileChange, frozen=True, tag="profile.count"):
    """Count over time, so that conditions can ask for the last minutes, hours or days.

    `counted('orders', '7d')` gives what was counted under a name within a window of 1 minute to 400 days: all of it,
    and at most one minute more (windows up to 2 hours), one hour more (up to 8 days) or one day more. What was counted
    under several ids of a profile is summed up.
    """

    counters: Annotated[
        str | tuple[str, ...] | Annotated[dict[str, int | float], Meta(min_length=1)],
        Sole(),
        Counters(),
        Meta(
            description="The counter, or a list of counters, that go up by one; or what to count by counter",
            examples=[{"orders": 1, "revenue": "{{ event.properties.total }}"}],
        ),
    ]

    commutes = True
    examples = (
        """\
orders:
  profile.count: orders
""",
        """\
orders:
  profile.count: {orders: 1, revenue: "{{ event.properties.total }}"}
""",
    )

    def run(self, context: NodeContext) -> Outcome:
        """Count everything at the time of the event, or leave by `failed` when something is no number to count."""
        if context.profile is None:
            return self.failed(reason="no profile")
        for name, by in self._amounts().items():
            if not isfinite(by):
                return self.failed(reason=f"{by} cannot be counted under `{name}`")
        return self.done(effects=[Count(name, by, context.now) for name, by in self._amounts().items()])

    def _amounts(self) -> dict[str, int | float]:
        if isinstance(self.counters, dict):
            return self.counters
        names = (self.counters,) if isinstance(self.counters, str) else self.counters
        return dict.fromkeys(names, 1)

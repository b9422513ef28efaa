from math import isfinite
from typing import Annotated, Literal

from msgspec import Meta

from engine.flow.node import Counters, Fixed, NodeContext, Outcome, Sole
from engine.language.buckets import LONGEST_KEPT_MS
from engine.profile.operations import Count
from nodes.change import ProfileChange


class ProfileCount(ProfileChange, frozen=True, tag="profile.count"):
    """Count over time, so that conditions can read the counts of the last minutes, hours or days.

    `counted('orders', '7d')` returns the count of a counter within a window of 1 minute to 400 days. The window may
    begin up to one minute early (windows up to 2 hours), one hour early (up to 8 days) or one day early. The counts of
    several ids of a profile are added up.

    An event counts at the time at which it was received, or with `by: occurred` at `event.time`. One that no window can
    reach counts nothing.
    """

    counters: Annotated[
        str | tuple[str, ...] | Annotated[dict[str, int | float], Meta(min_length=1)],
        Sole(),
        Counters(),
        Meta(
            description="The counter, or a list of counters, to increase by one; or the amounts to add, by counter",
            examples=[{"orders": 1, "revenue": "{{ event.properties.total }}"}],
        ),
    ]

    by: Annotated[
        Literal["received", "occurred"] | None,
        Fixed(),
        Meta(
            description="The time at which the event counts; when left out, as `times` of its source says",
            examples=["occurred"],
        ),
    ] = None

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
        """\
orders:
  profile.count: {counters: orders, by: occurred}
""",
    )

    def run(self, context: NodeContext) -> Outcome:
        """Count the amounts at the time of the event; leave by `failed` when one is not a finite number."""
        if context.profile is None:
            return self.failed(reason="no profile")
        amounts = self._amounts()
        for name, amount in amounts.items():
            if isinstance(amount, float) and not isfinite(amount):
                return self.failed(reason=f"{amount} cannot be counted under `{name}`")
        at = context.now
        if (self.by or context.source.get("times")) == "occurred":
            at = min(at, context.event["time"])
            if at < context.now - LONGEST_KEPT_MS:
                return self.done(reason="no window reaches back to the event")
        return self.done(effects=[Count(name, amount, at) for name, amount in amounts.items()])

    def _amounts(self) -> dict[str, int | float]:
        if isinstance(self.counters, dict):
            return self.counters
        names = (self.counters,) if isinstance(self.counters, str) else self.counters
        return dict.fromkeys(names, 1)

"""The targets of deliveries, as a page lists them: how each answers, and what waits for it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup
from msgspec import Struct

from api.console.charts import mirrored_bars
from api.console.queries import quoted_word
from api.console.site import link
from engine.ports.outbox import StoredDelivery

HOURS: Final = 24
HOUR_MS: Final = 3_600_000


class TargetView(Struct, frozen=True):
    """A target: whether it answers, how much it has got, and since when the oldest delivery waits (ms)."""

    name: str
    state: str  # "well", "resting" (its breaker is open), "refuses" or "idle"
    words: str
    sent: int
    waiting: int
    dead: int
    oldest: int | None
    bars: Markup
    link: str


def targets_of(
    known: Mapping[str, Any],
    recent: Sequence[StoredDelivery],
    dead: Sequence[StoredDelivery],
    waiting: Sequence[StoredDelivery],
    open_for: Mapping[str, int],
    now: int,
) -> list[TargetView]:
    """Return the targets of the project and those of deliveries, the ones with failures first.

    `open_for` are the seconds for which nothing is sent to a target.
    """
    names = {*known, *[each.target for each in (*recent, *dead, *waiting)]}
    views = [_target(name, _of(name, recent), _of(name, dead), _of(name, waiting), open_for, now) for name in names]
    order = {"refuses": 0, "resting": 1, "well": 2, "idle": 3}
    return sorted(views, key=lambda view: (order[view.state], -view.dead, -view.waiting, view.name))


def _of(name: str, deliveries: Iterable[StoredDelivery]) -> list[StoredDelivery]:
    return [each for each in deliveries if each.target == name]


def _target(
    name: str,
    recent: list[StoredDelivery],
    dead: list[StoredDelivery],
    waiting: list[StoredDelivery],
    open_for: Mapping[str, int],
    now: int,
) -> TargetView:
    state, words = _state(name, [*recent, *dead, *waiting], open_for)
    due = [each.due if each.since is None else each.since for each in waiting]
    good, bad = _by_hour(recent, "sent", now), _by_hour([*recent, *dead], "dead", now)
    label = f"{sum(good):,} delivered and {sum(bad):,} given up in {HOURS} hours, by hour"
    return TargetView(
        name=name,
        state=state,
        words=words,
        sent=sum(each.state == "sent" for each in recent),
        waiting=len(waiting),
        dead=len(dead),
        oldest=min(due, default=None),
        bars=mirrored_bars(good, bad, label, 28.0),
        link=link("/console/deliveries", q=f"target:{quoted_word(name)}"),
    )


def _state(name: str, deliveries: list[StoredDelivery], open_for: Mapping[str, int]) -> tuple[str, str]:
    """Return how a target answers, by its breaker and by the last attempt at one of its deliveries."""
    if name in open_for:
        return "resting", f"nothing is sent for {open_for[name]} s"
    tried = [each for each in deliveries if each.last is not None and each.attempts]
    if not tried:
        return "idle", "no delivery of late"
    last = max(tried, key=lambda each: each.last.at if each.last is not None else 0)
    if last.state == "sent" or last.last is None:
        return "well", "well"
    status = last.last.status
    return "refuses", f"refuses: {status}" if status else "does not answer"


def _by_hour(deliveries: Iterable[StoredDelivery], state: str, now: int) -> list[int]:
    """Return how many deliveries ended in a state, for each of the last hours."""
    ended = {each.id: each.ended for each in deliveries if each.state == state and each.ended is not None}
    counted = Counter((now - at) // HOUR_MS for at in ended.values())
    return [counted.get(hour, 0) for hour in range(HOURS - 1, -1, -1)]

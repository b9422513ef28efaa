"""The obligations to a profile: its open waits, its last ordered deliveries, and the firings that it has had.

All of it stands in the profile's document, so it moves with the profile. If profiles are merged, the profile that stays
has what all of them had. If a profile is parted, each wait goes with the side that has the id under which it acts; each
side has all last deliveries, and all firings: a delivery may name predecessors of a side that it no longer belongs to,
and no side is fired for a second time.
"""

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from engine.profile.document import Profile, Tail, WaitStub


class Owed(Struct, frozen=True):
    """All that is owed to one or several profiles; see the fields of `Profile`."""

    waits: tuple[WaitStub, ...] = ()
    tails: dict[str, Tail] = {}
    fired: dict[str, int] = {}


NOTHING = Owed()


def united(documents: Sequence[Profile]) -> Owed:
    """Return what is owed to these profiles together."""
    if not any(each.waits or each.tails or each.fired for each in documents):
        return NOTHING
    return Owed(_waits(documents), _tails(documents), _fired(documents))


def waits_of(
    waits: Iterable[WaitStub], ids: Collection[str], others: Collection[str], *, first: bool
) -> tuple[WaitStub, ...]:
    """Return the waits that go with the side with `ids`. `others` are the ids of all sides.

    A wait whose id none of the sides has goes with the first side, so none is lost and none is there twice.
    """
    return tuple([wait for wait in waits if wait.of in ids or (first and wait.of not in others)])


def earliest(due: int | None, waits: Sequence[WaitStub]) -> int | None:
    """Return the earlier one of a time (ms, or None for never) and the times at which waits are ripe."""
    if not waits:
        return due
    soonest = min([wait.due for wait in waits])
    return soonest if due is None else min(due, soonest)


def _waits(documents: Sequence[Profile]) -> tuple[WaitStub, ...]:
    """Return all open waits, one of each run: of two copies of a document one may have the run's earlier wait."""
    found: dict[str, WaitStub] = {}
    for wait in (wait for document in documents for wait in document.waits):
        known = found.get(wait.run)
        if known is None or (wait.n, wait.arrived) > (known.n, known.arrived):
            found[wait.run] = wait
    return tuple(sorted(found.values(), key=lambda wait: (wait.began, wait.run)))


def _tails(documents: Sequence[Profile]) -> dict[str, Tail]:
    found: dict[str, Tail] = {}
    for target, tail in (item for document in documents for item in document.tails.items()):
        known = found.get(target)
        found[target] = tail if known is None else _both(known, tail)
    return dict(sorted(found.items()))


def _both(one: Tail, other: Tail) -> Tail:
    return Tail(tuple(sorted({*one.ids, *other.ids})), max(one.at, other.at))


def _fired(documents: Sequence[Profile]) -> dict[str, int]:
    found: dict[str, int] = {}
    for task, due in (item for document in documents for item in document.fired.items()):
        found[task] = max(due, found.get(task, due))
    return dict(sorted(found.items()))

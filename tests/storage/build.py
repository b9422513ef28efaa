"""Small stored values for tests: every field that a test does not set has a default."""

from typing import Any

from msgspec import Raw

from engine.language.buckets import HOUR_MS, counted
from engine.ports.records import (
    CacheEntry,
    IdentityKey,
    ProcessedEvent,
    ProfileWrite,
    Rejected,
    RunRecord,
    Session,
    SessionWrite,
    StoredEvent,
    Unit,
)
from engine.ports.store import Conflict, Store
from engine.profile.apply import apply_operations
from engine.profile.document import Part, Profile, new_profile
from engine.profile.fold import fold
from engine.profile.operations import Count, Increment
from engine.profile.profile_view import profile_view

ANNS_KEY = "pii.email:7be2a9c04d15f386"  # as `engine.ports.ids.cause_of` names a key


def profile(id: str = "ann", version: int = 1, into: str | None = None, **cells: Any) -> Profile:
    part = Part(id=id, created=1_700_000_000_000, base=1_700_000_000_000, cells=cells)
    return Profile(id=id, created=1_700_000_000_000, version=version, parts={id: part}, merged_into=into)


def cells(profile: Profile | None) -> dict[str, Any]:
    assert profile is not None
    return profile.parts[profile.id].cells


def write(id: str = "ann", expected: int = 0, into: str | None = None, **cells: Any) -> ProfileWrite:
    return ProfileWrite(profile(id, expected + 1, into, **cells), expected)


def session(id: str = "visit", version: int = 1, source: str = "web", **properties: Any) -> Session:
    return Session(source=source, id=id, created=1, profile="ann", version=version, properties=properties)


def session_write(id: str = "visit", expected: int = 0, source: str = "web", **properties: Any) -> SessionWrite:
    return SessionWrite(session(id, expected + 1, source, **properties), expected)


def event(id: str = "e-1", profile: str | None = "ann", source: str = "web", **properties: Any) -> StoredEvent:
    return StoredEvent(
        id=id, type="order-paid", source=source, received=5, session="visit", profile=profile, properties=properties
    )


def mark(event: str = "e-1", at: int = 10, source: str = "web") -> ProcessedEvent:
    return ProcessedEvent(source=source, event=event, at=at, session="visit", profile="ann")


def run(id: str = "r-1", event: str = "e-1") -> RunRecord:
    trace = Raw(b'{"steps":[{"node":"a","us":1.5}]}')
    return RunRecord(
        id=id, event=event, flow="greet", version="9f2c", outcome="failed", at=7, source="web", trace=trace
    )


def rejected(id: str = "x-1") -> Rejected:
    return Rejected(id=id, source="web", at=8, reason="no type", at_field="/events/0/type", body=Raw(b'{"a":1}'))


def whole_unit(expected: int = 0) -> Unit:
    """A unit with one or two records of each kind."""
    return Unit(
        profiles=(write("ann", expected, color="red"),),
        sessions=(session_write("visit", expected, page=1),),
        keys=(IdentityKey(ANNS_KEY, "ann"),),
        marks=(mark(f"e-{expected}"),),
        events=(event(f"e-{expected}"), event(f"child-{expected}")),
        runs=(run(f"r-{expected}", f"e-{expected}"),),
        rejected=(rejected(f"x-{expected}"),),
        cache=(CacheEntry(f"c-{expected}", {"tier": "gold"}, 1000),),
    )


async def everything(store: Store) -> list[Any]:
    """All documents of `whole_unit`s that a reader can read, to be compared before and after."""
    return [
        await store.counts(),
        await store.profile("ann"),
        await store.session("web", "visit"),
        await store.key(ANNS_KEY),
        await store.marks("web", ("e-0", "e-1")),
        [await store.event(id) for id in ("e-0", "child-0", "e-1", "child-1")],
        await store.events_of("ann", 10),
        [await store.run(id) for id in ("r-0", "r-1")],
        await store.rejected(10),
        [await store.cached(key, 0) for key in ("c-0", "c-1")],
    ]


async def counted_up(store: Store, id: str, by: float) -> tuple[float, float]:
    """Increment a profile's `traits.spent` and its counter `spent`; return both as they are read then."""
    now = 1_700_000_000_000
    before = await store.profile(id) or new_profile(id, now)
    changes = Increment(("traits", "spent"), by), Count("spent", by, now)
    after, _ = apply_operations(before, id, changes, now)
    await store.commit(Unit(profiles=(ProfileWrite(after, before.version, profile_view(after, fold(after))),)))
    stored = await store.profile(id)
    assert stored == after
    view = fold(stored)
    return view["traits"]["spent"], counted(view["counters"]["spent"], HOUR_MS, now)


async def increment(store: Store, id: str) -> int:
    """Add one to a profile's `n` as the tracker does: load, decide, commit, retry on a conflict."""
    tries = 1
    while True:
        stored = await store.profile(id)
        expected, n = (0, 0) if stored is None else (stored.version, cells(stored)["n"])
        try:
            await store.commit(Unit(profiles=(write(id, expected, n=n + 1),)))
        except Conflict:
            tries += 1
        else:
            return tries

"""Checks: what is stored against what is expected, one line for each promise."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from benchmarks.clickstream.clicks import SOURCE
from benchmarks.clickstream.expected import Shopper
from benchmarks.clickstream.sending import Sent
from engine.ports.records import Counts
from engine.ports.store import Store
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view

MAX_EXAMPLES = 3  # of what differs, for each check
LONGEST = 300  # characters of one value in an example


class Check(Struct, frozen=True):
    """One thing that was compared `total` times; `wrong` shows some of those that differ."""

    name: str
    total: int
    failed: int
    wrong: tuple[str, ...] = ()


class Stored(Struct, frozen=True):
    """Everything that the store knows about the clickstream, to be compared with itself after a repeat."""

    profiles: dict[str, Profile | None]  # by user
    events: dict[str, dict[str, str]]  # type by event id, by user
    sessions: dict[str, tuple[str | None, Any]]  # canonical profile and platform, by session
    counts: Counts


def compared(name: str, pairs: Iterable[tuple[str, object, object]]) -> Check:
    """A check over (what, expected, found)."""
    pairs = list(pairs)
    error = [_told(*pair) for pair in pairs if pair[1] != pair[2]]
    return Check(name, len(pairs), len(error), tuple(error[:MAX_EXAMPLES]))


def _told(what: str, expected: object, found: object) -> str:
    """A difference in a line or two; of mappings only what differs."""
    if isinstance(expected, dict) and isinstance(found, dict):
        names = [name for name in expected | found if expected.get(name) != found.get(name)]
        expected, found = ({name: side[name] for name in names if name in side} for side in (expected, found))
    return f"{what}: expected {_shortened(expected)}, found {_shortened(found)}"


def _shortened(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}… ({len(shown)} characters)"


async def read(store: Store, expected: list[Shopper], sent: list[Sent]) -> Stored:
    """What is stored of every user, whose profile is the one that was answered last."""
    answered = {one.click.user: one.profile for one in sent}
    profiles: dict[str, Profile | None] = {}
    events: dict[str, dict[str, str]] = {}
    sessions: dict[str, tuple[str | None, Any]] = {}
    for shopper in expected:
        profile = profiles[shopper.user] = await store.profile(answered.get(shopper.user) or "")
        found = events[shopper.user] = {}
        for own in profile.ids if profile else ():
            found.update({event.id: event.type for event in await store.events_of(own, 10_000)})
        for visit in shopper.sessions:
            session = await store.session(SOURCE, visit)
            owner = await store.profile(session.profile) if session and session.profile else None
            sessions[visit] = (owner.id if owner else None, session.properties.get("platform") if session else None)
    return Stored(profiles, events, sessions, await store.counts())


def answers(sent: list[Sent], clicks: int) -> list[Check]:
    """What can be told from the answers of the first pass alone."""
    statuses = Counter(one.status for one in sent)
    return [
        compared("every event was answered 200", [("answers by status", {200: clicks}, dict(statuses))]),
        compared("every answer names a profile", ((one.click.id, True, bool(one.profile)) for one in sent)),
        compared("all visits of a user are answered one profile", _answered(sent)),
    ]


def repeats(first: list[Sent], second: list[Sent]) -> list[Check]:
    """That the second pass was answered as the first, and took no effect."""
    before = {one.click.id: one.profile for one in first}
    return [
        compared("every repeat is a duplicate", ((one.click.id, "duplicate", one.disposition) for one in second)),
        compared(
            "every repeat gets its first answer", ((s.click.id, before.get(s.click.id), s.profile) for s in second)
        ),
    ]


def contents(stored: Stored, expected: list[Shopper]) -> list[Check]:
    """What is stored, against the computation over the rows."""
    views = {user: profile_view(profile, fold(profile)) if profile else {} for user, profile in stored.profiles.items()}
    canonical = {user: profile.id if profile else None for user, profile in stored.profiles.items()}
    fields = sorted({field for shopper in expected for field in shopper.traits})
    totals = [
        ("profiles", len(expected), stored.counts["profiles"]),
        ("sessions", sum(len(shopper.sessions) for shopper in expected), stored.counts["sessions"]),
        ("events", sum(len(shopper.events) for shopper in expected), stored.counts["events"]),
        ("keys", len(expected), stored.counts["keys"]),
        ("rejected events", 0, stored.counts["rejected"]),
    ]
    return [
        compared("the store's totals", totals),
        compared("no two users share a profile", [("profiles", len(expected), len(set(canonical.values())))]),
        *(
            compared(f"traits.{field}", ((s.user, s.traits.get(field), _trait(views[s.user], field)) for s in expected))
            for field in fields
        ),
        compared("segments", ((s.user, s.segments, tuple(views[s.user].get("segments", ()))) for s in expected)),
        compared(
            "ids: one for each visit", ((s.user, len(s.sessions), len(views[s.user].get("ids", ()))) for s in expected)
        ),
        compared("events of each profile", ((s.user, s.events, stored.events[s.user]) for s in expected)),
        compared(
            "sessions lead to their user and know the platform",
            (
                (visit, (canonical[s.user], platform), stored.sessions[visit])
                for s in expected
                for visit, platform in s.sessions.items()
            ),
        ),
    ]


def unchanged(before: Stored, after: Stored) -> list[Check]:
    """That sending everything again changed nothing, not even a version."""
    return [
        compared("profiles, byte for byte", ((u, p, after.profiles.get(u)) for u, p in before.profiles.items())),
        compared("sessions", ((s, own, after.sessions.get(s)) for s, own in before.sessions.items())),
        compared("events", ((u, own, after.events.get(u)) for u, own in before.events.items())),
        compared("totals", [("counts", before.counts, after.counts)]),
    ]


def _answered(sent: list[Sent]) -> Iterable[tuple[str, object, object]]:
    """Every answer of a user against the user's last one: a profile that was merged away is told to nobody."""
    last = {one.click.user: one.profile for one in sent}
    told: dict[str, set[str | None]] = {}
    for one in sent:
        told.setdefault(one.click.user, set()).add(one.profile)
    return ((user, {profile}, told[user]) for user, profile in last.items())


def _trait(view: dict[str, Any], field: str) -> object:
    value = view.get("traits", {}).get(field)
    return tuple(value) if isinstance(value, tuple) else value

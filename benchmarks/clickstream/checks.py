"""Checks: the stored data against the expected data, one line for each promise."""

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

MAX_EXAMPLES = 3  # of differences, for each check
LONGEST = 300  # characters of one value in an example


class Check(Struct, frozen=True):
    """A comparison of `total` pairs; `examples` shows some of those that differ."""

    name: str
    total: int
    failed: int
    examples: tuple[str, ...] = ()


class Stored(Struct, frozen=True):
    """All stored data of the clickstream, to compare it with the data after a repeat."""

    profiles: dict[str, Profile | None]  # by user
    events: dict[str, dict[str, str]]  # type by event id, by user
    sessions: dict[str, tuple[str | None, Any]]  # canonical profile and platform, by session
    counts: Counts


def compared(name: str, pairs: Iterable[tuple[str, object, object]]) -> Check:
    """A check over (name, expected, found)."""
    pairs = list(pairs)
    differences = [_difference(*pair) for pair in pairs if pair[1] != pair[2]]
    return Check(name, len(pairs), len(differences), tuple(differences[:MAX_EXAMPLES]))


def _difference(name: str, expected: object, found: object) -> str:
    """A difference in a line or two; of mappings only the entries that differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        names = [name for name in expected | found if expected.get(name) != found.get(name)]
        expected, found = ({name: side[name] for name in names if name in side} for side in (expected, found))
    return f"{name}: expected {_shortened(expected)}, found {_shortened(found)}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


async def read(store: Store, expected: list[Shopper], sent: list[Sent]) -> Stored:
    """Read the stored data of every user. A user's profile is the one that the last answer named."""
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
    """Checks on the answers of the first pass alone."""
    statuses = Counter(one.status for one in sent)
    return [
        compared("every event was answered 200", [("answers by status", {200: clicks}, dict(statuses))]),
        compared("every answer names a profile", ((one.click.id, True, bool(one.profile)) for one in sent)),
        compared("all visits of a user are answered one profile", _answered(sent)),
    ]


def repeats(first: list[Sent], second: list[Sent]) -> list[Check]:
    """Checks that the second pass got the same answers as the first, and had no effect."""
    before = {one.click.id: one.profile for one in first}
    return [
        compared("every repeat is a duplicate", ((one.click.id, "duplicate", one.disposition) for one in second)),
        compared(
            "every repeat gets its first answer", ((s.click.id, before.get(s.click.id), s.profile) for s in second)
        ),
    ]


def contents(stored: Stored, expected: list[Shopper]) -> list[Check]:
    """Checks of the stored data against the computation over the rows."""
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
    """Checks that sending everything again changed nothing, not even a version."""
    return [
        compared("profiles, byte for byte", ((u, p, after.profiles.get(u)) for u, p in before.profiles.items())),
        compared("sessions", ((s, own, after.sessions.get(s)) for s, own in before.sessions.items())),
        compared("events", ((u, own, after.events.get(u)) for u, own in before.events.items())),
        compared("totals", [("counts", before.counts, after.counts)]),
    ]


def _answered(sent: list[Sent]) -> Iterable[tuple[str, object, object]]:
    """Compare every answer of a user with the user's last one: no answer may name a merged-away profile."""
    last = {one.click.user: one.profile for one in sent}
    answers: dict[str, set[str | None]] = {}
    for one in sent:
        answers.setdefault(one.click.user, set()).add(one.profile)
    return ((user, {profile}, answers[user]) for user, profile in last.items())


def _trait(view: dict[str, Any], field: str) -> object:
    value = view.get("traits", {}).get(field)
    return tuple(value) if isinstance(value, tuple) else value

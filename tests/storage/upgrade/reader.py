"""All that a store answers about the records of the upgrade fixtures, as plain JSON values.

Both the code of the old commit and today's import this module, so it uses only names that both have. `view` computes
the profile that clients see from a stored profile.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from engine.search.parse import parse
from tests.storage.upgrade.story import QUERIES, SEGMENTS

ALL = 1000  # records of a page; there are fewer in the fixtures
LATE = 2**50  # ms; later than all that is due
View = Callable[[Any], dict[str, Any]]
KindOf = Callable[[str], Any]


async def answers(store: Any, view: View, names: dict[str, list[str]], kind_of: KindOf = str) -> dict[str, Any]:
    """The answers of the store. `names` lists ids of profiles, keys and event ids that are no record's own id.

    `kind_of` returns what `parse` takes for the name of a kind of document: the old code took the name itself.
    """

    async def search(kind: str, text: str) -> list[Any]:
        return await _search(store, kind_of(kind), text)

    found = {kind: await search(kind, "") for kind in ("events", "profiles", "sessions", "runs", "rejected")}
    profiles = {id: await store.profile(id) for id in names["profiles"]}
    keys = {key: await store.key(key) for key in names["keys"]}
    caches = {key: await store.cached(key, 0) for key in names["caches"]}
    answered = {
        "profiles": profiles,
        "views": {id: view(profile) for id, profile in profiles.items() if profile is not None},
        "tombstones": {
            id: (stored.version, stored.merged_into)
            for id, stored in (await store.as_stored(tuple(names["profiles"]))).items()
            if stored.merged_into is not None
        },
        "events": {event.id: await store.event(event.id) for event in found["events"]},
        "events of a profile": {id: await store.events_of(id, ALL) for id in names["profiles"]},
        "sessions": [await store.session(session.source, session.id) for session in found["sessions"]],
        "runs": {run.id: await store.run(run.id) for run in found["runs"]},
        "runs of an event": {event.id: await store.runs_of(event.id) for event in found["events"]},
        "rejected": await store.rejected(ALL),
        # The old code also says which keys are claimed.
        "keys": {
            key: (one.id, one.claim) if hasattr(one, "claim") else one.id
            for key, one in keys.items()
            if one is not None
        },
        "caches": caches,
        "notes": {name: doc.decode() for name, doc in (await store.notes("")).items()},
        "flow versions": {version: await store.flow_version(version) for version in names["flows"]},
        "due": await store.due(LATE, ALL),
        "counts": await store.counts(),
        "search": {f"{kind}: {text}": _ids(await search(kind, text)) for kind, text in QUERIES},
        "members": {name: _ids(await search("profiles", f"segments:{name}")) for name in SEGMENTS},
    }
    return plain(answered)


def plain(value: Any) -> Any:
    """A value as JSON has it, so that what was read from a file compares equal."""
    return json.loads(msgspec.json.encode(value))


def differences(found: Any, expected: Any, path: str = "") -> list[str]:
    """Where two JSON values differ, in words; [] when they are equal."""
    if isinstance(found, dict) and isinstance(expected, dict):
        names = sorted(found.keys() | expected.keys())
        return [line for name in names for line in differences(found.get(name), expected.get(name), f"{path}/{name}")]
    return [] if found == expected else [f"{path}: {found!r} instead of {expected!r}"]


async def _search(store: Any, kind: Any, text: str) -> list[Any]:
    """All records that a query finds."""
    items: list[Any] = []
    query, after = parse(text, kind, 0), None
    while True:
        page = await store.search(query, ALL, after)
        items += page.items
        if page.after is None:
            return items
        after = page.after


def _ids(items: list[Any]) -> list[str]:
    return sorted(f"{item.source}/{item.id}" if hasattr(item, "source") else item.id for item in items)

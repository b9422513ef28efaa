"""The content of the fixture of linked profiles, as the old program stored it, and the groups that come of it."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.ports.records import ProcessedEvent, Session
from engine.profile.document import Profile
from tests.storage.upgrade.fixture import kept

FILE = "linked.sqlite.db"
INDICES = "linked.elasticsearch.jsonl"

OldKey = tuple[str, str, bool]  # its name, the id that holds it, and whether it is only claimed

_profile = msgspec.json.Decoder(Profile).decode
_session = msgspec.json.Decoder(Session).decode
_mark = msgspec.json.Decoder(ProcessedEvent).decode


class OldData(Struct):
    """The living profiles, the keys, the sessions, the ids of the events, and the marks of those with a client's id."""

    profiles: list[Profile]
    keys: list[OldKey]
    sessions: list[Session]
    events: list[str]
    marks: list[ProcessedEvent]

    def apart(self) -> list[list[list[str]]]:
        """The groups of each profile that is to be set apart."""
        return [found for each in self.profiles if len(found := expected_groups(self.keys, each)) > 1]


def data_of_file(path: Path) -> OldData:
    """Read a file that is not upgraded yet."""
    with closing(sqlite3.connect(path)) as file:
        profiles = file.execute("SELECT doc FROM profiles WHERE merged_into IS NULL").fetchall()
        marks = file.execute("SELECT source, event, at, session, profile FROM marks").fetchall()
        return OldData(
            [_profile(doc) for (doc,) in profiles],
            [(key, id, bool(claim)) for key, id, claim in file.execute("SELECT key, id, claim FROM keys")],
            [_session(doc) for (doc,) in file.execute("SELECT doc FROM sessions")],
            [json.loads(doc)["id"] for (doc,) in file.execute("SELECT doc FROM events")],
            [ProcessedEvent(*mark) for mark in marks],
        )


def data_of_indices() -> OldData:
    """Read the documents of the fixture."""
    lines = [json.loads(line) for line in kept(INDICES).splitlines()]

    def sources(kind: str) -> list[dict[str, str]]:
        return [each["source"] for each in lines if "id" in each and each["index"].startswith(f"upgrade-{kind}")]

    return OldData(
        [_profile(each["doc"]) for each in sources("profiles") if each.get("live")],
        [(each["key"], each["id"], bool(each.get("claim"))) for each in sources("keys")],
        [_session(each["doc"]) for each in sources("sessions")],
        [each["id"] for each in sources("events")],
        [_mark(each["doc"]) for each in sources("marks")],
    )


def proven_ids(keys: Sequence[OldKey], profile: Profile) -> set[str]:
    """The ids of a profile that have proven something, or that proofs join with such an id."""
    proofs = [step for step in profile.steps.values() if not step.claim]
    proven = {id for _, id, claim in keys if not claim} | {id for step in proofs for id in (step.left, step.right)}
    return {id for ids in _own(profile) if not proven.isdisjoint(ids) for id in ids}


def expected_groups(keys: Sequence[OldKey], profile: Profile) -> list[list[str]]:
    """The groups by the rules, from steps and keys alone: proofs join ids, claims join those that proved nothing."""
    bare = profile.parts.keys() - proven_ids(keys, profile)
    claims = [step for step in profile.steps.values() if step.claim and not step.undone]
    # A claim leads to its key, through which it joins all that claim the key.
    pairs = [(end, step.cause) for step in claims for end in (step.left, step.right) if end in bare]
    joined = [(ids[0], other) for ids in _own(profile) for other in ids[1:]]
    found = _joined([*profile.parts, *{cause for _, cause in pairs}], [*pairs, *joined])
    return sorted(ids for each in found if (ids := sorted(profile.parts.keys() & each)))


def _own(profile: Profile) -> list[list[str]]:
    proofs = [step for step in profile.steps.values() if not step.claim and not step.undone]
    return _joined(profile.parts, [(step.left, step.right) for step in proofs])


def _joined(names: Iterable[str], pairs: Collection[tuple[str, str]]) -> list[list[str]]:
    group = {name: {name} for name in names}
    for left, right in pairs:
        both = group[left] | group[right]
        group.update(dict.fromkeys(both, both))
    return [sorted(each) for each in {id(each): each for each in group.values()}.values()]

"""Keys and profiles of earlier versions get new names and links.

The fixture was written by the code of commit ca13a6d, see `upgrade/write_linked_store.py`: claims and proofs of 190
groups of visitors, joined by steps, some of them undone, and a few forgotten profiles.
"""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, json, structs

from engine.ports.ids import cause_of
from engine.ports.kinds import KINDS
from engine.profile.document import EarlierLink, Link, Part, Profile
from engine.profile.grouping import Regrouped
from engine.profile.linking import Pool, groups, is_one_group, new_link, proven_sender
from engine.project.source import Source
from storage.encoding import decode_profile
from storage.identity_upgrade import IdentityChanges, new_key, with_proofs
from storage.sqlite.layout import Layouts
from storage.sqlite.preview import preview
from storage.sqlite.schema import prepare
from storage.sqlite.store import SqliteStore
from tests import projects
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.woken import timers
from tests.storage.upgrade.fixture import kept
from tests.storage.upgrade.linked import FILE, OldKey, expected_groups

ROOT = Path(__file__).parent.parent.parent
SECRET = bytes(range(32))
KEPT_TABLES = ("sessions", "events", "gaps", "marks", "runs", "rejected", "cache", "flow_versions", "meta")
Rows = list[tuple[Any, ...]]

# Opens a file and ends at a step of the upgrade, as a process does that is killed.
UPGRADE_AND_DIE = """
import os, signal, sqlite3, sys
from pathlib import Path
from storage.sqlite.store import SqliteStore

path, step = sys.argv[1:]
connect = sqlite3.connect

class Dying(sqlite3.Connection):
    def execute(self, sql, *values):
        if step in sql:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(sql, *values)

    def executemany(self, sql, rows):
        super().executemany(sql, rows)
        if step == "executemany":
            os.kill(os.getpid(), signal.SIGKILL)

sqlite3.connect = lambda *values, **named: connect(*values, **named, factory=Dying)
SqliteStore.open(Path(path))
"""


class Old(Struct):
    """The content of the fixture: the rows of each table, the living profiles as they are stored, and the secret."""

    tables: dict[str, Rows]
    profiles: dict[str, Profile]
    leads: dict[str, str | None]
    secret: bytes

    @property
    def keys(self) -> list[OldKey]:
        """Each key with the id that holds it, and whether it is claimed."""
        return [(key, id, bool(claim)) for key, id, claim in self.tables["keys"]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    path.write_bytes(kept(FILE))
    return path


@pytest.fixture
def old(path: Path) -> Old:
    with closing(sqlite3.connect(path)) as file:
        tables = {table: rows(file, table) for table in (*KEPT_TABLES, "keys")}
        documents = file.execute("SELECT id, merged_into, doc FROM profiles").fetchall()
    profiles = {id: json.decode(doc, type=Profile) for id, into, doc in documents if into is None}
    secret = next(value for name, value in tables["meta"] if name == "secret")
    return Old(tables, profiles, {id: into for id, into, _ in documents}, secret)


@pytest.fixture
async def upgraded(path: Path, old: Old) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(path)
    yield store
    await store.close()


def rows(file: sqlite3.Connection, table: str) -> Rows:
    return sorted(file.execute(f"SELECT * FROM {table}"), key=repr)  # noqa: S608 - a word of ours


def stored(path: Path) -> dict[str, Profile]:
    """The living profiles of a file."""
    with closing(sqlite3.connect(path)) as file:
        found = file.execute("SELECT id, CAST(doc AS BLOB) FROM profiles WHERE merged_into IS NULL").fetchall()
    return {id: decode_profile(doc) for id, doc in found}


# ---- names of keys --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "path", "value"),
    [
        pytest.param("pii.email=ann@example.com", "pii.email", "ann@example.com", id="plain"),
        pytest.param("traits.code=a=b", "traits.code", "a=b", id="= in the value"),
        pytest.param("traits['card=no.']=c=1", "traits['card=no.']", "c=1", id="= in the path"),
        pytest.param(r"traits['a\'=']['b=.']==", r"traits['a\'=']['b=.']", "=", id="= in several names"),
        pytest.param("pii.email=", "pii.email", "", id="empty value"),
        pytest.param("traits.ü=a b\x00", "traits.ü", "a b\x00", id="odd characters"),
        pytest.param('traits["a b"]=1', "traits['a b']", "1", id="another spelling"),
    ],
)
@pytest.mark.parametrize("claim", [False, True])
def test_a_key_gets_the_name_that_links_have(key: str, path: str, value: str, claim: bool) -> None:
    assert new_key(SECRET, key, claim) == ("?" if claim else "") + cause_of(SECRET, path, value)


@pytest.mark.parametrize("key", ["forgotten profile 218ddce498496cf8", "forgotten session 1", "", "=", "a b=c"])
def test_a_name_that_is_no_merge_keys_stays(key: str) -> None:
    assert new_key(SECRET, key, False) == key


# ---- profiles -------------------------------------------------------------------------------------------------------


def profile(*ids: str, links: tuple[Link, ...] = ()) -> Profile:
    parts = {id: Part(id=id, created=at) for at, id in enumerate(ids)}
    return Profile(id=ids[0], created=0, version=3, parts=parts, links={link.id: link for link in links})


def test_a_profile_of_one_id_gets_the_link_of_its_proof() -> None:
    proof = new_link("a", "proof", "k:1")
    assert with_proofs(profile("a"), [("a", "k:1"), ("gone", "k:2")], 9) == profile("a", links=(proof,))


def test_a_profile_without_proofs_is_the_same_object() -> None:
    claimed = profile("a", "b", links=(new_link("a", "claim", "?k:1"), new_link("b", "claim", "?k:1")))
    assert with_proofs(claimed, [], 9) is claimed


def test_claims_of_the_proven_cease_at_the_time_of_the_upgrade() -> None:
    mine, other = new_link("a", "claim", "?k:1"), new_link("b", "claim", "?k:1")
    proof = new_link("a", "proof", "k:1")
    after = with_proofs(profile("a", "b", links=(mine, other)), [("a", "k:1")], 9)
    assert after.links[mine.id] == structs.replace(mine, ceased=9, ceased_by=proof.id)
    assert (after.links[other.id], after.links[proof.id]) == (other, proof)
    assert (after.version, list(after.links)) == (3, sorted(after.links))
    assert groups(Pool.of(after)) == [{"a"}, {"b"}]


def test_claims_cease_in_a_profile_whose_only_proof_was_a_step() -> None:
    steps = (EarlierLink("1", "a", "b", "alias"), EarlierLink("2", "b", "c", "k:1", claim=True))
    document = structs.replace(profile("a", "b", "c"), steps={step.id: step for step in steps})
    after = with_proofs(decode_profile(json.encode(document)), [], 9)
    assert groups(Pool.of(after)) == [{"a", "b"}, {"c"}]


def test_the_changes_are_told_in_lines() -> None:
    changes = IdentityChanges(keys=3)
    before = profile("a", "b", links=(new_link("a", "claim", "?k:1"), new_link("b", "claim", "?k:1")))
    changes.count(before, before)
    assert changes.lines(done=True) == ["keys that were renamed: 3"]
    changes.count(before, with_proofs(before, [("a", "k:1")], 9))
    assert changes.lines(done=False) == [
        "keys that would be renamed: 3",
        "profiles to which links to proven keys would be added: 1",
        "profiles that a server will set apart: 1, into 2",
    ]
    assert IdentityChanges().lines(done=True) == []


# ---- a file ---------------------------------------------------------------------------------------------------------


def test_the_fixture_has_profiles_of_all_sorts(old: Old) -> None:
    steps = [step for profile in old.profiles.values() for step in profile.steps.values()]
    assert {(step.claim, step.undone) for step in steps} >= {(True, False), (False, False), (True, True)}
    assert {step.cause.rpartition(":")[0] for step in steps} == {"", "pii.email", "pii.phone", "traits['card=no.']"}
    assert any(part.mixed for profile in old.profiles.values() for part in profile.parts.values())
    assert sum(key.startswith("forgotten ") for key, _, _ in old.keys) > 5
    assert {bool(claim) for _, _, claim in old.keys} == {True, False}
    assert sum(into is not None for into in old.leads.values()) > 200


async def test_no_other_record_of_a_file_is_changed(old: Old, upgraded: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        assert {table: rows(file, table) for table in KEPT_TABLES} == {
            table: old.tables[table] for table in KEPT_TABLES
        }
        assert dict(file.execute("SELECT id, merged_into FROM profiles")) == old.leads
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(await upgraded.events_of(old.tables["marks"][0][5], 9)) > 1


async def test_no_value_of_a_profile_is_changed(old: Old, upgraded: SqliteStore, path: Path) -> None:
    for id, found in stored(path).items():
        before = old.profiles[id]
        assert structs.replace(found, links={}, due=before.due) == structs.replace(
            decode_profile(json.encode(before)), links={}, steps={}
        )
        assert await upgraded.profile(id) == found
    assert stored(path).keys() == old.profiles.keys()


async def test_every_key_is_found_under_its_new_name(old: Old, upgraded: SqliteStore) -> None:
    for key, id, claim in old.keys:
        name = new_key(old.secret, key, bool(claim))
        found = await upgraded.key(name)
        assert found is not None
        assert (found.id, name == key) == (id, key.startswith("forgotten "))
    assert await upgraded.key("pii.email=person1@example.com") is None
    assert await upgraded.key("?" + cause_of(old.secret, "pii.email", "person1@example.com")) is not None
    assert await upgraded.key(cause_of(old.secret, "traits['card=no.']", "c=7")) is not None


async def test_ids_that_were_proven_are_proven_and_no_others(old: Old, upgraded: SqliteStore, path: Path) -> None:
    proven = {id for _, id, claim in old.keys if id and not claim}
    for profile in old.profiles.values():
        for step in profile.steps.values():
            proven |= {step.left, step.right} if not step.claim else set()
    found = {id for each in stored(path).values() for id in each.parts if proven_sender(each, id)}
    assert found == proven & {id for each in old.profiles.values() for id in each.parts}


async def test_the_parts_of_a_profile_are_the_groups_by_the_rules(old: Old, upgraded: SqliteStore, path: Path) -> None:
    for id, profile in stored(path).items():
        assert [sorted(ids) for ids in groups(Pool.of(profile))] == expected_groups(old.keys, old.profiles[id]), id


async def test_a_server_sets_profiles_apart_when_it_evaluates_their_segments(upgraded: SqliteStore, path: Path) -> None:
    apart = {id for id, each in stored(path).items() if not is_one_group(each)}
    served = Collector(projects.project(), upgraded).pipeline
    await served.start()
    reports = list[Regrouped]()
    served.report_apart = reports.append
    assert await timers(served).turn(60, 10_000) >= len(apart) > 0
    assert sorted(each.profiles[0].id for each in reports) == sorted(apart)
    assert [id for id, each in stored(path).items() if not is_one_group(each)] == []
    assert await upgraded.due(served.clock.now(), 1) == []


def of_stored_data(lines: list[str]) -> list[str]:
    """The lines of an upgrade without those of new tables, which are added whenever a file is opened."""
    return [line for line in lines if not line.startswith("added the table")]


def changed_by_preview(path: Path) -> tuple[list[str], bool]:
    """The lines of a preview, and whether it has changed the file."""
    content = path.read_bytes()
    return preview(path), path.read_bytes() != content


async def test_the_upgrade_tells_what_it_changes_and_a_preview_tells_the_same(old: Old, path: Path) -> None:
    apart = [found for each in old.profiles.values() if len(found := expected_groups(old.keys, each)) > 1]
    renamed = sum(not key.startswith("forgotten ") for key, _, _ in old.keys)
    before = {id: decode_profile(json.encode(each)).links for id, each in old.profiles.items()}
    would, changed = changed_by_preview(path)
    assert not changed
    store = SqliteStore.open(path)
    done = of_stored_data(await store.migrate())
    assert [await store.migrate(), await store.preview_migration(), preview(path)] == [[], [], []]
    await store.close()
    added = sum(len(each.links) > len(before[id]) for id, each in stored(path).items())
    assert done == [
        f"upgraded {path} from schema 4 to 5",
        f"keys that were renamed: {renamed}",
        f"profiles to which links to proven keys were added: {added}",
        f"profiles that a server will set apart: {len(apart)}, into {sum(map(len, apart))}",
    ]
    assert would == [line.replace("upgraded", "would upgrade").replace("were", "would be") for line in done]


def test_of_several_processes_that_open_an_old_file_one_upgrades_it(path: Path) -> None:
    layouts = Layouts(KINDS)
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: prepare(path, 5000, layouts), range(4)))
    assert sorted(map(bool, map(of_stored_data, done))) == [False, False, False, True]
    added = [line for lines in done for line in lines if line not in of_stored_data(lines)]
    assert len(set(added)) == len(added) > 0


@pytest.mark.parametrize("step", ["executemany", "DROP TABLE keys", "PRAGMA user_version = "])
def test_an_upgrade_that_was_killed_is_made_by_the_next_process(path: Path, old: Old, step: str) -> None:
    killed = subprocess.run([sys.executable, "-c", UPGRADE_AND_DIE, str(path), step], cwd=ROOT, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as file:
        assert rows(file, "keys") == old.tables["keys"]
    assert len(of_stored_data(prepare(path, 0, Layouts(KINDS)))) == 4
    assert sum(len(profile.links) for profile in stored(path).values()) > 400


async def test_the_next_event_of_each_profile_sets_it_apart(upgraded: SqliteStore, path: Path) -> None:
    flow = "flow: page\ntrigger: {event: page-view}\nnodes: {page: {profile.set: {traits.page: new}}}"
    collector = Collector(projects.project(flow, sources=(Source(source="shop", identify="link"),)), upgraded)
    before = stored(path)
    for id in [id for id, profile in before.items() if not is_one_group(profile)]:
        collector.clock.advance(1000)
        body = {"source": {"id": "shop"}, "session": {"id": f"new {id}"}, "profile": {"id": id}}
        await collector.track({**body, "events": [{"type": "page-view"}]}, debug=False)
    after = stored(path)
    assert all(map(is_one_group, after.values()))
    assert sorted(id for profile in after.values() for id in profile.parts) == sorted(
        id for profile in before.values() for id in profile.parts
    )
    assert len(after) == sum(len(groups(Pool.of(profile))) for profile in before.values())
    for profile in after.values():
        assert all([(await upgraded.profile(id)) == profile for id in profile.parts])

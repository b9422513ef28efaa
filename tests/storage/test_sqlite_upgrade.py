"""Files of older schemas, and files in which the table of a kind is missing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from engine.ports.erasure import DataSubject
from engine.ports.kinds import CACHE, KINDS, REJECTED, SEARCHABLE
from engine.ports.records import CacheEntry, Unit
from engine.project.retention import Dropped
from engine.search.parse import parse
from storage.sqlite.layout import Layouts
from storage.sqlite.schema import prepare
from storage.sqlite.search import Searcher
from storage.sqlite.store import SqliteStore
from tests.storage.build import everything, profile, rejected, whole_unit
from tests.storage.file_contents import found_in
from tests.storage.kinds import ALL_KINDS, LETTERS, letter, quota, remark
from tests.storage.kinds_contract import unit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def raw(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


LAYOUTS = Layouts(KINDS)
FOURTH_SCHEMA = "ALTER TABLE keys ADD COLUMN claim INTEGER NOT NULL DEFAULT 0; PRAGMA user_version = 4;"
THIRD_SCHEMA = f"""
{FOURTH_SCHEMA}
DROP INDEX rejected_id; ALTER TABLE rejected DROP COLUMN id; ALTER TABLE cache RENAME COLUMN id TO key;
PRAGMA user_version = 3;
"""
FIRST_SCHEMA = f"""
{THIRD_SCHEMA}
DROP TABLE gaps; DROP INDEX profiles_due; ALTER TABLE profiles DROP COLUMN due; PRAGMA user_version = 1;
"""


async def test_a_file_of_an_older_schema_is_upgraded(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.commit(whole_unit())
    await store.close()
    connection = raw(path)
    connection.executescript(FIRST_SCHEMA)
    connection.close()
    assert prepare(path, 0, LAYOUTS) == [f"upgraded {path} from schema 1 to 5"]
    assert prepare(path, 0, LAYOUTS) == []
    store = SqliteStore.open(path)
    assert await store.profile("ann") == profile("ann", 1, color="red")
    assert await store.due(2**60, 10) == []
    await store.close()


async def test_the_records_of_a_file_of_the_third_schema_are_found_and_erased_after_an_upgrade(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.commit(whole_unit())
    await store.commit(whole_unit(1))
    before = await everything(store)
    await store.close()
    with closing(raw(path)) as connection:
        connection.executescript(THIRD_SCHEMA)
    searcher = Searcher(path)  # of a newer program, while an older one serves the file
    for kind, text in (("rejected", "id:x-1"), ("runs", "id:r-1"), ("events", "id:e-1")):
        page = await searcher.search(parse(text, SEARCHABLE[kind], 0), 5)
        assert [one.id for one in page.items] == [text.removeprefix("id:")]  # type: ignore[attr-defined]
    await searcher.close()
    store = SqliteStore.open(path)
    assert await store.migrate() == [f"upgraded {path} from schema 3 to 5"]
    assert await everything(store) == before
    assert await store.record(REJECTED, "x-1") == rejected("x-1")
    assert await store.record(CACHE, "c-1") == CacheEntry("c-1", {"tier": "gold"}, 1000)
    assert await store.retain({"rejected": 9, "runs": 8}) == Dropped(rejected=2, runs=2)
    assert await store.forget_marks(2000) == 2
    assert await store.record(CACHE, "c-1") is None
    await store.commit(Unit(rejected=(structs.replace(rejected("new"), session="visit"),)))
    assert (await store.erase(DataSubject(frozenset({"ann"}), frozenset({("web", "visit")}))))["rejected"] == 1
    await store.close()


async def test_the_table_of_a_further_kind_is_added_to_a_file(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.commit(whole_unit())
    before = await everything(store)
    await store.close()
    store, second = SqliteStore.open(path, kinds=ALL_KINDS), SqliteStore.open(path)  # one that knows nothing of it
    assert await store.migrate() == [f"added the table {name} to {path}" for name in ("remarks", "quotas", "letters")]
    await store.commit(unit(remark(), quota(), letter()))
    await second.commit(whole_unit(1))
    assert await second.migrate() == []
    assert (await everything(second))[1:3] != before[1:3]
    await store.close()
    await second.close()
    store = SqliteStore.open(path, kinds=ALL_KINDS)
    assert (await store.migrate(), await store.record(LETTERS, "l")) == ([], letter())
    await store.close()


async def test_a_new_file_and_an_upgraded_one_have_the_same_schema(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    await SqliteStore.open(old).close()
    connection = raw(old)
    connection.executescript(FIRST_SCHEMA)
    connection.close()
    prepare(old, 0, LAYOUTS)
    await SqliteStore.open(new).close()
    columns = [
        raw(path).execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
        for table in ("profiles", "keys")
        for path in (old, new)
    ]
    indexes = [
        sorted(raw(path).execute("SELECT name FROM sqlite_schema WHERE type = 'index'").fetchall())
        for path in (old, new)
    ]
    assert columns[::2] == columns[1::2]
    assert indexes[0] == indexes[1]


async def test_a_file_without_secure_delete_is_rewritten_by_an_expunge(path: Path) -> None:
    store = SqliteStore.open(path)
    await store.close()
    connection = raw(path)
    connection.executescript(f"PRAGMA secure_delete = OFF; CREATE TABLE old (doc); {FIRST_SCHEMA}")
    connection.execute("INSERT INTO old VALUES (?)", ("SECRET" * 20_000,))
    connection.execute("DROP TABLE old")
    connection.close()
    store = SqliteStore.open(path)
    assert found_in("SECRET", path.parent)
    await store.expunge()
    assert not found_in("SECRET", path.parent)
    await store.close()

"""`headrace search`: tables and JSON, also while a server runs; the mistake in an invalid query is marked."""

import json
import uuid
from asyncio import to_thread
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.admin_key import FILE
from cli.main import app
from cli.search import columns_of, marked_query
from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Unit
from engine.problem import Problem
from engine.project.project import Settings
from engine.search.page import MAX_LIMIT
from storage.elasticsearch.store import ElasticsearchStore
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.projects import project as compiled
from tests.storage.build import event
from tests.storage.kinds import REMARKS
from tests.storage.search_contract import LARGE, ODD_EVENTS, OF_ALL_KINDS
from tests.system.server_process import serving, write_project


@pytest.fixture
async def project(tmp_path: Path) -> AsyncIterator[Path]:
    """A project whose store is open in this process."""
    store = SqliteStore.open(tmp_path / "headrace.db")
    await store.commit(OF_ALL_KINDS)
    await store.commit(Unit(events=tuple(event(f"e{n}", n=n) for n in range(30))))
    yield tmp_path
    await store.close()


async def run(project: Path, *words: str) -> tuple[int, str, str]:
    result = await to_thread(CliRunner().invoke, app, ["search", *words, "--project", str(project)])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(("words", "expected"), [
    pytest.param(["events", "properties.n:7"], ["received", "e7", "order-paid", '{"n": 7}'], id="events"),
    pytest.param(["events", "id:e1", "OR", "id:e2"], ["e1", "e2"], id="a query of several words"),
    pytest.param(["profiles", "id:ann"], ["ann", '{"color": "red"}'], id="profiles"),
    pytest.param(["sessions", "source:app"], ["visit", "app"], id="sessions"),
    pytest.param(["runs", "event:e-2"], ["r-3", "greet", "failed"], id="runs"),
    pytest.param(["rejected", "reason:type"], ["the type is missing", '{"type": 1}'], id="rejected events"),
])  # fmt: skip
async def test_documents_are_printed_as_a_table(project: Path, words: list[str], expected: list[str]) -> None:
    code, out, _ = await run(project, *words)
    assert code == 0
    assert [word for word in expected if word not in out] == []


async def test_a_large_whole_number_is_found_and_printed_with_all_its_digits(project: Path) -> None:
    store = SqliteStore.open(project / "large.db")
    await store.commit(Unit(events=tuple(event(f"large{n}", n=number) for n, number in enumerate(LARGE))))
    await store.close()
    for number in LARGE:
        words = "events", f'properties.n:"{number}"', "--store", f"sqlite:{project / 'large.db'}"
        code, out, _ = await run(project, *words, "--json")
        assert (code, [json.loads(line)["properties"]["n"] for line in out.splitlines()]) == (0, [number])


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["a table", "JSON"])
async def test_records_with_values_of_other_types_are_printed(project: Path, words: tuple[str, ...]) -> None:
    store = SqliteStore.open(project / "odd.db")
    await store.commit(Unit(events=ODD_EVENTS))
    await store.close()
    code, out, _ = await run(project, "events", "--store", f"sqlite:{project / 'odd.db'}", *words)
    assert (code, [one.id for one in ODD_EVENTS if one.id not in out]) == (0, [])


def test_a_kind_without_columns_of_its_own_has_a_column_for_each_text_field() -> None:
    searchable = REMARKS.searchable
    assert searchable is not None
    cells = {name: cell({"id": "r", "topic": None, "text": "tea"}) for name, cell in columns_of(searchable).items()}
    empty = dict.fromkeys(("source", "event", "session", "profile", "topic"), "")
    assert cells == {"id": "r", "text": "tea", **empty}


REGULARS = """
flow: regulars
trigger: {event: visit}
consents: [letters]
nodes:
  hello:
    log: hello
"""
BROKEN = """
flow: broken
trigger: {event: visit}
nodes:
  refuse:
    fail: on purpose
"""


async def test_runs_are_printed_with_their_event_and_the_reason_of_their_end(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "headrace.db")
    shop = Collector(compiled(REGULARS, BROKEN, settings=Settings(shares={"filtered": 1.0})), store)
    await shop.track({"source": {"id": "shop"}, "session": {"id": "s"}, "events": [{"type": "visit", "id": "v-1"}]})
    await store.close()
    code, out, error = await run(tmp_path, "runs")
    assert (code, error) == (0, "")
    assert [word for word in ("visit v-1", "on purpose", "`letters`", "filtered") if word not in out] == []


async def test_the_newest_documents_are_printed_with_a_hint_that_there_are_more(project: Path) -> None:
    code, out, more = await run(project, "events", "--limit", "2")
    assert (code, len(out.splitlines())) == (0, 3)
    assert "newest 2" in more


@pytest.mark.parametrize(("limit", "count"), [("0", 30), ("30", 30), ("7", 7)])
async def test_json_is_one_document_per_line(project: Path, limit: str, count: int) -> None:
    code, out, _ = await run(project, "events", "--json", "--limit", limit)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, len(lines), lines[0]["id"]) == (0, count, "e29")


async def test_an_empty_result_is_a_success(project: Path) -> None:
    assert await run(project, "events", "type:nothing", "--json") == (0, "", "Nothing found.\n")


@pytest.mark.parametrize(("words", "message"), [
    pytest.param(
        ["events", "typ:x"], "  typ:x\n  ^^^\n`typ` is not a field of events\nhelp: did you mean", id="a field"
    ),
    pytest.param(["evnts"], "did you mean `events`?", id="a kind"),
    pytest.param(["events", "--store", "sqlite:other.db"], "there is no such file", id="no file"),
    pytest.param(["events", "--store", "memory:"], "ask yours with --url", id="a store in memory"),
    pytest.param(["events", "--store", "mongo:x"], "names no known store", id="an unknown store"),
    pytest.param(["events", "--url", "http://127.0.0.1:1"], "cannot be asked", id="no server"),
    pytest.param(["events", "--limit", "-1"], "greater than or equal to 0", id="a limit below nothing"),
])  # fmt: skip
async def test_a_wrong_argument_has_exit_code_2_and_a_message(project: Path, words: list[str], message: str) -> None:
    code, out, error = await run(project, *words)
    assert (code, out) == (2, "")
    assert message in error


async def test_a_running_server_finds_the_same_documents(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "headrace.db")
    await store.commit(OF_ALL_KINDS)
    await store.commit(Unit(events=tuple(event(f"e{n}", n=n) for n in range(MAX_LIMIT + 10))))
    await store.close()
    words = [
        *([kind] for kind in SEARCHABLE),
        ["events", "properties.n:>7", "--limit", "3"],
        ["events", "type:nothing"],
    ]
    words += [["events", "--limit", "0", "--json"]]  # more than a page
    from_store = [await run(tmp_path, *arguments) for arguments in words]
    nowhere = tmp_path / "nowhere"  # no project is needed
    with serving(write_project(tmp_path), tmp_path / "headrace.db") as served:
        key = (tmp_path / FILE).read_text().strip()
        server = ("--url", f"{served.address}/", "--key", key)
        from_server = [await run(nowhere, *arguments, *server) for arguments in words]
        error = await run(nowhere, "events", "typ:x", *server)
    assert from_server == from_store
    assert len(from_store[-1][1].splitlines()) > MAX_LIMIT
    assert (error[0], "  typ:x\n  ^^^\n`typ` is not a field of events\n" in error[2]) == (2, True)


@pytest.mark.parametrize(("text", "offset", "length", "marked"), [
    pytest.param("a:b", 0, 1, "  a:b\n  ^\n", id="the beginning"),
    pytest.param("漢字 x:b", 3, 1, "  漢字 x:b\n       ^\n", id="wide characters"),
    pytest.param("a\n\x1b b", 4, 1, "  a   b\n      ^\n", id="characters that cannot be printed"),
    pytest.param("a AND", 5, 1, "  a AND\n       ^\n", id="the end"),
])  # fmt: skip
def test_the_carets_are_under_the_mistake(text: str, offset: int, length: int, marked: str) -> None:
    console = Console(file=StringIO(), width=100)
    console.print(marked_query(text, Problem(code="x", message="wrong", offset=offset, length=length)))
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == marked + "wrong\n"


async def test_declared_fields_are_searched_by_the_value_that_a_profile_shows(project: Path) -> None:
    (project / "headrace.yaml").write_text("fields:\n  traits.age: min\n")
    assert (await run(project, "profiles", "traits.color:red"))[0] == 0
    (project / "headrace.yaml").write_text("fields: 5\n")
    assert (await run(project, "profiles"))[0] == 2


async def test_an_elasticsearch_store_is_searched(elasticsearch_url: str, tmp_path: Path) -> None:
    address = f"{elasticsearch_url}?prefix=t{uuid.uuid4().hex[:12]}"
    store = ElasticsearchStore.open(address)
    await store.commit(Unit(events=(event("e1"),)))
    code, out, _ = await run(tmp_path, "events", "id:e1", "--json", "--store", f"elasticsearch:{address}")
    await store.close()
    assert (code, json.loads(out)["id"]) == (0, "e1")

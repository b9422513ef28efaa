"""`headrace schema show` and `headrace schema infer`."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from typer.testing import CliRunner, Result

import nodes
from cli.main import app
from flows.project import load_project
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.projects import SHOP, payload, project
from tests.system.server_process import serving

ORDER = "schema: order\ndescription: A paid order.\nfields:\n  total: DOUBLE\n  note: {type: STRING}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with a declared schema, in whose store more fields were learnt and values refused."""
    for name, text in {
        "schemas/order.yaml": ORDER,
        "sources/shop.yaml": "source: shop\nschema: learn\nidentify: trust\ndebugger: true\n",
    }.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)

    async def fill() -> None:
        store = SqliteStore.open(tmp_path / "headrace.db")
        learning = Collector(project(sources=(structs.replace(SHOP, schema="learn"),)), store)
        try:
            await learning.track(payload({"type": "order", "id": "e1", "properties": {"note": 5, "a/b": True}}))
            await learning.track(payload({"type": "order", "properties": {"a/b": "perhaps", "note": "x"}}))
            await learning.track(payload({"type": "seen", "properties": {"page": "/"}}))
        finally:
            await store.close()

    asyncio.run(fill())
    return tmp_path


def headrace(*words: object, input: str | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["schema", *map(str, words)], input=input)


def fields_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {field.pop("name"): field for field in document["fields"]}


def test_all_fields_are_shown_with_their_types_and_where_these_come_from(shop: Path) -> None:
    result = headrace("show", "--project", shop)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["order", "A", "paid", "order."]
    assert lines[2] == ["total", "DOUBLE", "declared"]
    assert lines[3][:5] == ["note", "STRING", "declared", "(learnt:", "DOUBLE)"]
    assert lines[4][:3] == ["a/b", "BOOLEAN", "learnt"]
    assert lines[4][-1] == "e1"
    assert ["seen"] in lines


def test_the_fields_of_one_type_are_shown_with_the_values_that_were_refused(shop: Path) -> None:
    result = headrace("show", "order", "--json", "--project", shop)
    document = json.loads(result.stdout)
    assert {name: field["refused"] for name, field in fields_of(document).items()} == {"total": 0, "note": 1, "a/b": 1}
    assert (document["full"], document["refused_more"]) == (False, False)


def test_a_server_shows_the_same_as_its_store(shop: Path) -> None:
    with serving(shop, shop / "headrace.db") as server:
        url = server.address
        of_all = headrace("show", "--json", "--project", shop, "--url", url)
        of_one = headrace("show", "order", "--json", "--project", shop, "--url", url)
        unknown = headrace("show", "ordr", "--project", shop, "--url", url)
    assert json.loads(of_all.stdout) == json.loads(headrace("show", "--json", "--project", shop).stdout)
    assert json.loads(of_one.stdout) == json.loads(headrace("show", "order", "--json", "--project", shop).stdout)
    assert "did you mean `order`?" in unknown.output


def test_an_unknown_type_is_reported_with_a_remedy(shop: Path) -> None:
    result = headrace("show", "ordr", "--project", shop)
    assert result.exit_code == 1
    assert "No field of `ordr` is declared or learnt; did you mean `order`?" in result.output


EVENTS = [
    {"type": "order", "properties": {"total": 10, "items": ["a"], "when": "2024-05-01", "né": True, "n": None}},
    {"type": "order", "properties": {"total": "11.5", "items": [], "when": "2024-05-02", "odd": {"a": 1}}},
    {"type": "order", "properties": {"total": 3, "odd": "x", "true": 1, "unit-price": 2}},
    {"type": "order"},
]
SCHEMA = """\
schema: order
fields:
  total: DOUBLE  # in 3 of 4 events
  when: DATE  # in 2 of 4 events
  # odd: its values have no type in common
  items: ARRAY_STRING  # in 1 of 4 events
  "né": BOOLEAN  # in 1 of 4 events
  "true": DOUBLE  # in 1 of 4 events
  unit-price: DOUBLE  # in 1 of 4 events
  # n: it has never had a value
"""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n".join(json.dumps(event) for event in EVENTS), id="a document per line"),
        pytest.param(json.dumps(EVENTS), id="a list"),
        pytest.param(json.dumps(EVENTS, indent=2), id="a list on several lines"),
        pytest.param(json.dumps({"source": {"id": "shop"}, "events": EVENTS}), id="a payload"),
        pytest.param(json.dumps(EVENTS).replace('"type"', '"collection"'), id="events of Rakam's clients"),
    ],
)
def test_a_schema_is_inferred_from_recorded_events(tmp_path: Path, text: str) -> None:
    (tmp_path / "events.json").write_text(text)
    result = headrace("infer", tmp_path / "events.json")
    assert (result.stdout, result.exit_code) == (SCHEMA, 0)
    assert headrace("infer", "-", input=text).stdout == SCHEMA


def test_what_is_inferred_is_in_order(tmp_path: Path) -> None:
    names = ["a b", "on", "12", "x: y", "#", '"', "\\", "😀", "\u2028", "tab\t", "null"]
    event = {"type": "an order: new", "properties": dict.fromkeys(names, 1)}
    result = headrace("infer", "-", input=json.dumps(event))
    for name, text in {"schemas/order.yaml": result.stdout, "sources/s.yaml": "source: s\nschema: fixed\n"}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    loaded = load_project(tmp_path, nodes.builtin(), {})
    assert loaded.diagnostics == ()
    assert set(loaded.project.schemas["an order: new"].fields) == set(names)


def test_of_several_types_one_has_to_be_chosen() -> None:
    text = json.dumps([{"type": "order", "properties": {"total": 1}}, {"type": "seen"}, {"type": "order"}])
    result = headrace("infer", "-", input=text)
    assert result.exit_code == 2
    assert "There are events of 2 types: order (2), seen (1). Choose one, e.g. --type order" in result.output
    assert headrace("infer", "-", "--type", "seen", input=text).stdout == "schema: seen\nfields: {}\n"
    assert "did you mean `seen`?" in headrace("infer", "-", "--type", "sen", input=text).output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no event in these files."),
        ('{"type": "order"}\n{"type": \n', "standard input, line 2: this is no JSON"),
        ('{"event": "order"}', "line 1: an event is an object with a text `type`"),
        ('[{"type": "order", "properties": [1]}]', "an event is an object with a text `type`"),
        ("7", "an event is an object with a text `type`"),
    ],
)
def test_what_is_no_event_is_reported_with_its_place(text: str, message: str) -> None:
    result = headrace("infer", "-", input=text)
    assert result.exit_code == 2
    assert message in result.output


def test_a_file_that_is_absent_is_reported(tmp_path: Path) -> None:
    result = headrace("infer", tmp_path / "none.json")
    assert result.exit_code == 2
    assert "cannot be read: No such file or directory." in result.output


@pytest.mark.parametrize("words", [("show",), ("infer",)])
def test_the_help_of_a_command_teaches(words: tuple[str, ...]) -> None:
    text = " ".join(headrace(*words, "--help").output.split())
    assert "schemas/" in text
    assert "headrace" in text

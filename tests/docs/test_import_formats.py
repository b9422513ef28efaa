"""The page about formats of imports: its files make its events, and what it says of formats and mappings holds."""

import io
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from effects.rows import avro_file, avro_schema, csv_rows
from effects.rows.reading import ENDINGS, read_rows
from effects.rows.stream import RowStream
from engine.language.zone import TIMEZONE
from engine.ports.rows import MAX_ROW, Row
from engine.project.import_mapping import ROW_ROOTS, ImportMapping
from flows.import_mapping import read_import, shipped_import
from flows.reader import read_yaml
from tests.engine.language.expressions import compile_expression

PAGE = (Path(__file__).parents[2] / "docs" / "import-formats.md").read_text()
FILES = {name: text for _, name, text in re.findall(r"```(yaml|csv)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)}
EVENTS = re.findall(r"```jsonl\n(.*?)```", PAGE, re.DOTALL)[0].splitlines()
TIMES = re.findall(r"^\| ([^|]*`2?[^|]*) \| `\{\{ (.*?) }}` \|$", PAGE, re.MULTILINE)
FEB_1 = 1_706_789_100_000  # 13:05 in Berlin


def mapping(name: str) -> ImportMapping:
    document = read_yaml(FILES[name], name)
    read, problems = read_import(document.data, document.text)
    assert problems == []
    assert read is not None
    return read


def made(mapping: ImportMapping, row: dict[str, Any]) -> dict[str, Any]:
    event = mapping.mapping.event({"row": row, "number": 1, "file": "x.jsonl", TIMEZONE: "Europe/Berlin"})
    assert event is not None
    return {name: value for name, value in msgspec.structs.asdict(event).items() if value not in (None, {})}


def test_the_rows_of_the_file_become_the_events_that_the_page_shows() -> None:
    orders = mapping("imports/shop.yaml")
    read = [*read_rows(RowStream(io.BytesIO(FILES["shop.csv"].encode())), orders.format, "shop.csv")]
    assert len(read) == len(EVENTS) == 2
    for row, shown in zip(read, EVENTS, strict=True):
        assert isinstance(row, Row)
        assert made(orders, row.value) == msgspec.json.decode(shown)


CELLS: dict[str, dict[str, str]] = {
    "2024-02-01 13:05": {"at": "2024-02-01 13:05"},
    "01/02/2024 13:05": {"at": "01/02/2024 13:05"},
    "2/1/24 1:05 PM": {"at": "2/1/24 1:05 PM"},
    "01 Feb 2024 13:05:00 +0100": {"at": "01 Feb 2024 13:05:00 +0100"},
    "two cells": {"day": "2024-02-01", "clock": "13:05"},
}


@pytest.mark.parametrize(("shown", "expression"), TIMES, ids=[shown for shown, _ in TIMES])
def test_the_times_of_the_table_are_read(shown: str, expression: str) -> None:
    row = next(row for cell, row in CELLS.items() if cell in shown)
    compiled = compile_expression(expression.replace("\\|", "|"), ROW_ROOTS)
    assert compiled.evaluate({"row": row, TIMEZONE: "Europe/Berlin"}) == FEB_1


def test_the_table_of_times_has_each_case_of_this_test() -> None:
    assert len(TIMES) == len(CELLS)


def test_a_time_of_mixpanel_in_the_zone_of_its_project_is_read() -> None:
    local = FEB_1 // 1000 - 5 * 3600  # the clock in New York, as if it was UTC
    properties = {"time": local, "distinct_id": "a", "$insert_id": "i", "$user_id": "u"}
    event = made(mapping("imports/mixpanel-new-york.yaml"), {"event": "x", "properties": properties})
    assert (event["time"], event["id"]) == (FEB_1, f"x a {local} i")


def test_the_page_says_what_the_shipped_mappings_put_into_the_context() -> None:
    listed = re.findall(r"^\| `context` \| (.*) \|$", PAGE, re.MULTILINE)[0]
    names = re.findall(r"`(\w+)`", listed)
    row = {"event_type": "x", "uuid": "u", "event_time": "2024-02-01 12:05:00.000000"}
    keys = ("session_id", "user_properties", "platform", "os_name", "device_type", "language", "country", "region")
    row |= dict.fromkeys((*keys, "city", "ip_address", "version_name"), "x")
    event = made(shipped_import("amplitude"), row)
    assert list(event["context"]) == names
    assert event["time"] == FEB_1


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    assert MAX_ROW == 1 << 20
    assert avro_file.MAX_BLOCK == 8 << 20
    assert f"{avro_schema.MAX_DEPTH} levels" in PAGE
    for limit in (csv_rows.MAX_COLUMNS, csv_rows.MAX_LINES, csv_rows.MAX_UNCLOSED):
        assert f"{limit:,}" in PAGE
    assert all(f"`{ending}`" in PAGE for ending in ENDINGS)
    assert all(f"`{codec}`" in PAGE for codec in avro_file.CODECS)

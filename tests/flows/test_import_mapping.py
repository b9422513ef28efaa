"""Import mappings: those of authors, those that come with the package, and rows that need none."""

from typing import Any

import pytest

from engine.language.absent import Unusable
from engine.ports.rows import BadRow, Row
from engine.project.import_mapping import PLAIN, ImportMapping
from engine.project.mapping import MappedEvent
from engine.project.project import Settings
from engine.project.row_format import RowFormat
from engine.tracking.foreign.row import RowTranslation
from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.intake.mending import kept_body
from engine.tracking.intake.payload import RejectedEvent
from flows.import_mapping import read_import, shipped_import, shipped_imports

NOW = 1_700_000_000_000


def mapping(data: dict[str, Any]) -> ImportMapping:
    read, problems = read_import(data, "text")
    assert problems == []
    assert read is not None
    return read


def event(mapping: ImportMapping, row: dict[str, Any]) -> ForeignEvent:
    made = RowTranslation(mapping.mapping, Settings(), "orders.csv", NOW).event(Row(3, 7, b"{}", row))
    assert isinstance(made, ForeignEvent)
    return made


def test_a_mapping_reads_the_row_its_number_and_the_file() -> None:
    orders = mapping(
        {
            "import": "orders",
            "format": {"type": "csv", "delimiter": ";"},
            "event": {
                "type": "order",
                "id": "{{ file }}:{{ number }}",
                "user": "{{ row.customer }}",
                "properties": {"total": "{{ row.total | float }}"},
                "when": "row.state == 'paid'",
            },
        }
    )
    assert orders.format == RowFormat(type="csv", delimiter=";")
    made = event(orders, {"customer": "c1", "total": "9.50", "state": "paid"})
    assert (made.id, made.user, made.properties, made.at) == ("orders.csv:3", "c1", {"total": 9.5}, "/line/7")
    translation = RowTranslation(orders.mapping, Settings(), "orders.csv", NOW)
    assert translation.event(Row(1, 2, b"{}", {"state": "refunded"})) is None


def test_a_row_that_cannot_be_mapped_is_rejected_with_its_line() -> None:
    orders = mapping({"import": "orders", "event": {"type": "order", "id": "{{ row.id }}"}})
    translation = RowTranslation(orders.mapping, Settings(), "orders.csv", NOW)
    assert translation.event(Row(3, 7, b'{"a":1}', {"a": 1})) == RejectedEvent(
        3, "`row.id` is absent", "/line/7", kept_body(b'{"a":1}')
    )
    assert translation.event(BadRow(4, 8, b"x,y", "a quote is not closed")) == RejectedEvent(
        4, "a quote is not closed", "/line/8", kept_body(b"x,y")
    )


@pytest.mark.parametrize(
    ("row", "made"),
    [
        (
            {"type": "order", "id": "1", "time": "", "user": "u", "total": "9.5", "note": "", "none": None},
            MappedEvent(type="order", id="1", user="u", properties={"total": "9.5"}),
        ),
        (
            {"type": "order", "time": 1_700_000_000, "visitor": 720182990123456789, "properties": {"a": 1}, "b": [2]},
            MappedEvent(type="order", time=1_700_000_000, visitor="720182990123456789", properties={"b": [2], "a": 1}),
        ),
        (
            {"type": "order", "properties": '{"a": 1}', "context": '{"ip": "x"}'},
            MappedEvent(type="order", properties={"a": 1}, context={"ip": "x"}),
        ),
    ],
)
def test_rows_that_are_events_need_no_mapping(row: dict[str, Any], made: MappedEvent) -> None:
    assert PLAIN.mapping.event({"row": row}) == made


@pytest.mark.parametrize("row", [{}, {"type": ""}, {"type": "x", "properties": "text"}, {"type": "x", "user": [1]}])
def test_a_row_that_is_no_event_is_unusable(row: dict[str, Any]) -> None:
    with pytest.raises(Unusable):
        PLAIN.mapping.event({"row": row})


def test_mixpanels_export_is_read() -> None:
    properties = {
        "time": 1602611311,
        "distinct_id": "$device:d1",
        "$insert_id": "i1",
        "$device_id": "d1",
        "$user_id": "u1",
        "plan": "pro",
    }
    made = event(shipped_import("mixpanel"), {"event": "Signed Up", "properties": properties})
    id = "Signed Up $device:d1 1602611311 i1"
    assert (made.type, made.id, made.time, made.user, made.visitor) == ("Signed Up", id, 1602611311, "u1", "d1")
    assert made.properties == properties


def test_an_old_event_of_mixpanel_has_the_file_and_the_row_in_place_of_an_id() -> None:
    made = event(shipped_import("mixpanel"), {"event": "x", "properties": {"time": 1602611311, "distinct_id": "a"}})
    assert (made.id, made.visitor, made.user) == ("x a 1602611311 orders.csv:3", "a", None)


def test_amplitudes_export_is_read() -> None:
    row = {
        "event_type": "watch",
        "uuid": "u-1",
        "event_time": "2024-02-18 17:30:15.123000",
        "user_id": None,
        "device_id": "d1",
        "session_id": 1708277415000,
        "event_properties": {"title": "x"},
        "user_properties": {},
        "country": "Germany",
    }
    made = event(shipped_import("amplitude"), row)
    assert (made.type, made.id, made.visitor, made.user) == ("watch", "u-1", "d1", None)
    assert (made.time, made.properties) == (1_708_277_415_123, {"title": "x"})  # in UTC, whatever the project's zone
    assert made.context["country"] == "Germany"
    assert "city" not in made.context


def test_the_shipped_mappings_are_known_by_name() -> None:
    assert shipped_imports() == ["amplitude", "mixpanel"]
    with pytest.raises(LookupError):
        shipped_import("../starter/flows/x")


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        ({"import": "x"}, "H403", ("import",)),
        ({"event": {"type": "x"}}, "H403", ()),
        ({"import": "x", "event": {}}, "H403", ("event",)),
        ({"import": "x", "mapping": {"type": "x"}}, "H402", ("mapping",)),
        ({"import": "x", "format": {"type": "xml"}, "event": {"type": "x"}}, "H404", ("format", "type")),
        ({"import": "x", "event": {"type": "{{ body.x }}"}}, "H202", ("event", "type")),
    ],
)
def test_a_mistake_is_reported_at_its_place(data: dict[str, Any], code: str, path: tuple[str, ...]) -> None:
    read, problems = read_import(data, "")
    assert read is None
    assert (code, path) in [(problem.code, problem.path) for problem in problems]

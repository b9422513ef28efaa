"""Rakam's bulk bodies: JSON, lines of JSON and CSV."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tracking.foreign.rakam import translated
from engine.tracking.foreign.rakam_bulk import MAX_EVENTS
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest
from engine.tracking.intake.event_time import read_event_time
from engine.tracking.intake.payload import Refusal, RejectedEvent

QUERY = {"master_key": ["MK"], "collection": ["Order"]}
NDJSON = "application/x-ndjson"

cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)


def bulk(body: str | bytes, kind: str, **query: str) -> tuple[ForeignEvent | RejectedEvent, ...]:
    fields = {**QUERY, **{name: [value] for name, value in query.items()}}
    text = body.encode() if isinstance(body, str) else body
    headers = {b"content-type": kind.encode()} if kind else {}
    return translated(ForeignRequest(path="/event/bulk", body=text, query=fields, headers=headers)).events


def shown(events: tuple[ForeignEvent | RejectedEvent, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Types and properties of events of which none was rejected."""
    return [(event.type, event.properties) for event in events if isinstance(event, ForeignEvent)]


def refusal(body: str | bytes, kind: str, **query: str) -> Refusal:
    with pytest.raises(Refusal) as refused:
        bulk(body, kind, **query)
    return refused.value


@pytest.mark.parametrize("kind", ["", "application/json", "application/json; charset=utf-8"])
def test_json_is_as_a_batch(kind: str) -> None:
    body = json.dumps({"api": {"api_key": "MK"}, "events": [{"collection": "A", "properties": {"n": 1}}]})
    assert shown(bulk(body, kind)) == [("a", {"n": 1})]


@pytest.mark.parametrize("kind", [NDJSON, "application/x-rawjson", "application/x-ndjson; charset=utf-8"])
@pytest.mark.parametrize(
    "body", ['{"n":1}\n\n{"n":2,"_user":"u"}\n', '{"n":1}\r\n{"n":2,"_user":"u"}', ' [{"n":1}, {"n":2,"_user":"u"}]']
)
def test_lines_and_lists_are_the_properties_of_events_of_one_collection(kind: str, body: str) -> None:
    events = bulk(body, kind)
    assert shown(events) == [("order", {"n": 1}), ("order", {"n": 2})]
    last = events[1]
    assert isinstance(last, ForeignEvent)
    assert last.user == "u"


def test_a_bad_line_is_rejected_alone() -> None:
    first, rejected, wrong, last = bulk('{"n":1}\n{"n":tru}\n{"_time":"soon"}\n{"n":2}', NDJSON)
    assert isinstance(rejected, RejectedEvent)
    assert isinstance(wrong, RejectedEvent)
    assert [(rejected.index, rejected.at), (wrong.index, wrong.at)] == [(1, "/1"), (2, "/2/properties/_time")]
    assert shown((first, last)) == [("order", {"n": 1}), ("order", {"n": 2})]


def test_equal_lines_of_two_collections_have_different_texts() -> None:
    (one,), (other,) = bulk("{}", NDJSON), bulk("{}", NDJSON, collection="refund")
    assert isinstance(one, ForeignEvent)
    assert isinstance(other, ForeignEvent)
    assert one.raw != other.raw


def test_the_rows_of_csv_are_events_whose_values_are_text() -> None:
    body = "\ufeffid,orderAmount,_user,_time\n1,9.5,u1,1480457838042\n2,,u2,2016-11-29 22:17:18\n"
    first, second = bulk(body, "text/csv", use_header="true")
    assert isinstance(first, ForeignEvent)
    assert isinstance(second, ForeignEvent)
    assert shown((first, second)) == [("order", {"id": "1", "order_amount": "9.5"}), ("order", {"id": "2"})]
    assert (first.user, read_event_time(first.time), first.at) == ("u1", 1_480_457_838_042, "/0")
    assert (second.user, read_event_time(second.time)) == ("u2", 1_480_457_838_000)


def test_an_empty_line_of_csv_is_no_event() -> None:
    assert shown(bulk("a\n\n1\n\n", "text/csv", use_header="true")) == [("order", {"a": "1"})]


def test_the_separator_of_columns_may_be_another_one() -> None:
    assert shown(bulk('a;b\n"1;2";3\n', "text/csv", use_header="TRUE", column_separator=";")) == [
        ("order", {"a": "1;2", "b": "3"})
    ]


@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=4))
def test_cells_of_csv_are_kept_as_they_are(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b"], *rows])
    assert shown(bulk(text.getvalue(), "text/csv", use_header="true")) == [("order", {"a": a, "b": b}) for a, b in rows]


def test_a_row_with_more_cells_than_columns_is_rejected_alone() -> None:
    rejected, bad, taken = bulk("a,_time\n1,2016-11-29,3\n1,soon\n2\n", "text/csv", use_header="true")
    assert isinstance(rejected, RejectedEvent)
    assert (rejected.index, rejected.at) == (0, "/0")
    assert rejected.reason == "Table has 2 columns but csv file has more than 2 columns"
    assert json.loads(bytes(rejected.body)) == ["1", "2016-11-29", "3"]
    assert isinstance(bad, RejectedEvent)
    assert (bad.index, bad.at) == (1, "/1/properties/_time")
    assert shown((taken,)) == [("order", {"a": "2"})]


@pytest.mark.parametrize(
    ("body", "kind", "query", "words"),
    [
        ("a\n1\n", "text/csv", {}, "use_header=true"),
        ("a\n1\n", "text/csv", {"use_header": "false"}, "use_header=true"),
        ("a\n1\n", "text/csv", {"use_header": "true", "column_separator": ";;"}, "Invalid column separator"),
        ("a\n1\n", "text/csv", {"use_header": "true", "column_separator": "\n"}, "Invalid column separator"),
        ("", "text/csv", {"use_header": "true"}, "the body is empty"),
        (b"a\n\xff\n", "text/csv", {"use_header": "true"}, "CSV couldn't parsed"),
        ("a,\n1,2\n", "text/csv", {"use_header": "true"}, "the name of a property is empty"),
        ("a\n1\n", "text/csv", {"use_header": "true", "collection": ""}, "collection query parameter is required"),
        ("a" * 201 + "\n1\n", "text/csv", {"use_header": "true"}, "has at most 200 characters"),
        ("{}", NDJSON, {"collection": "x" * 101}, "Collection name must have maximum 100 characters."),
        ("Obj", "application/avro", {}, "Unsupported content type: application/avro"),
        ("{}", "text/plain", {}, "Unsupported content type: text/plain"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: str | bytes, kind: str, query: dict[str, str], words: str) -> None:
    refused = refusal(body, kind, **query)
    assert refused.kind == "malformed"
    assert words in refused.detail


@pytest.mark.parametrize(("kind", "line", "query"), [(NDJSON, "{}\n", {}), ("text/csv", "1\n", {"use_header": "true"})])
def test_a_body_of_too_many_events_is_too_large(kind: str, line: str, query: dict[str, str]) -> None:
    header = "a\n" if kind == "text/csv" else ""
    assert refusal(header + line * (MAX_EVENTS + 1), kind, **query).kind == "too-large"
    assert len(bulk(header + line * MAX_EVENTS, kind, **query)) == MAX_EVENTS


def test_a_media_type_that_is_not_taken_is_the_reason_also_where_the_key_is_in_the_body() -> None:
    headers = {b"content-type": b"application/x-www-form-urlencoded"}
    with pytest.raises(Refusal, match=r"^Unsupported content type: application/x-www-form-urlencoded"):
        translated(ForeignRequest(path="/event/bulk", body=b'{"api": {"api_key": "K"}, "events": []}', headers=headers))


def test_a_body_that_names_no_key_needs_one_beside_it() -> None:
    headers = {b"content-type": b"application/x-ndjson"}
    with pytest.raises(Refusal, match=r"^api\.api_key is required"):
        translated(ForeignRequest(path="/event/bulk", body=b"{}", query={"collection": ["a"]}, headers=headers))


def test_a_copy_is_as_bulk() -> None:
    headers = {b"content-type": b"application/x-ndjson"}
    copy = ForeignRequest(path="/event/copy", body=b'{"n":1}', query=QUERY, headers=headers)
    assert translated(copy).events == bulk('{"n":1}', NDJSON)

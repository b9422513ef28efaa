"""Rakam's bulk bodies besides JSON: lists and lines of properties, and CSV. The query names the collection of all."""

import csv
import io
from typing import Any, Final

import msgspec
from msgspec import structs

from engine.tracking.foreign.items import Item, UnusableMember, check_number, items_of, made
from engine.tracking.foreign.rakam_api import Api
from engine.tracking.foreign.rakam_event import event_of, sent_event
from engine.tracking.foreign.rakam_names import checked_name, type_of
from engine.tracking.foreign.translation import ForeignEvent, ForeignRequest
from engine.tracking.intake.mending import kept_body
from engine.tracking.intake.payload import Refusal, RejectedEvent

MAX_EVENTS: Final = 5_000  # of a request
MAX_NAME: Final = 200  # characters of the name of a column
LINES: Final = ("application/x-ndjson", "application/x-rawjson")
AVRO: Final = "application/avro"  # which is made lines of JSON before it is translated
NO_SEPARATORS: Final = '\r\n"\0'

Events = tuple[ForeignEvent | RejectedEvent, ...]


def lines_of_json(request: ForeignRequest, api: Api) -> Events:
    """Return the events of lines of JSON, each the properties of one, or of one list of such. Raises `Refusal`."""
    collection = collection_in(request)

    def make(item: Item) -> ForeignEvent:
        return event_of(_with_collection(item, collection), api)

    if request.body.lstrip()[:1] == b"[":
        return items_of(request.body, MAX_EVENTS, "", make)
    lines = [line for line in request.body.splitlines() if line.strip()]
    check_number(len(lines), MAX_EVENTS)
    return tuple(made(index, line, f"/{index}", make) for index, line in enumerate(lines))


def rows_of_csv(request: ForeignRequest, api: Api) -> Events:
    """Return the events of the rows of CSV behind its header; their values are text. Raises `Refusal`."""
    collection = collection_in(request)
    separator = _single(request, "column_separator") or ","
    if len(separator) != 1 or separator in NO_SEPARATORS:
        raise Refusal("malformed", "Invalid column separator")
    if (_single(request, "use_header") or "").lower() != "true":
        detail = "send the names of the columns in the first line, and use_header=true in the query"
        raise Refusal("malformed", detail)
    try:
        rows = list(csv.reader(io.StringIO(request.body.decode("utf-8-sig"), newline=""), delimiter=separator))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refusal("malformed", f"CSV couldn't parsed: {error}") from None
    rows = [row for row in rows if row]
    if not rows:
        raise Refusal("malformed", "the body is empty")
    check_number(len(rows) - 1, MAX_EVENTS)
    columns = _columns(rows[0])
    return tuple(_row(index, row, columns, collection, api) for index, row in enumerate(rows[1:]))


def collection_in(request: ForeignRequest) -> str:
    """Return the collection that the query names. Raises `Refusal`."""
    collection = _single(request, "collection")
    if not collection:
        raise Refusal("malformed", "collection query parameter is required")
    try:
        type_of(collection)
    except UnusableMember as wrong:
        raise Refusal("malformed", wrong.reason) from None
    return collection


def _columns(header: list[str]) -> list[str]:
    if any(len(name) > MAX_NAME for name in header):  # all events have them in their texts
        raise Refusal("malformed", f"the name of a column has at most {MAX_NAME} characters")
    try:
        return [checked_name(name, "") for name in header]
    except UnusableMember as wrong:
        raise Refusal("malformed", wrong.reason) from None


def _row(index: int, row: list[str], columns: list[str], collection: str, api: Api) -> ForeignEvent | RejectedEvent:
    """Return the event of a row. A cell without text is no property."""
    raw = msgspec.json.encode(row)
    at = f"/{index}"
    if len(row) > len(columns):
        reason = f"Table has {len(columns)} columns but csv file has more than {len(columns)} columns"
        return RejectedEvent(index, reason, at, kept_body(raw))
    properties: dict[str, Any] = {name: cell for name, cell in zip(columns, row, strict=False) if cell}
    raw = msgspec.json.encode({"collection": collection, "properties": properties})
    try:
        return sent_event(Item(at, raw, {}), type_of(collection), properties, api)
    except UnusableMember as wrong:
        return RejectedEvent(index, wrong.reason, at + wrong.at, kept_body(raw))


def _with_collection(item: Item, collection: str) -> Item:
    """Return an item whose object is that of an event, and not its properties alone: so two collections differ."""
    raw = b'{"collection":%s,"properties":%s}' % (msgspec.json.encode(collection), item.raw)
    return structs.replace(item, raw=raw, members={"collection": collection, "properties": item.members})


def _single(request: ForeignRequest, name: str) -> str | None:
    return next(iter(request.query.get(name, [])), None)

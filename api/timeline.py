"""A timeline as a document: what the console, the API and `headrace profile timeline` show."""

from typing import Any

import msgspec

from api.serialize import serialize_delivery, serialize_rejected, serialize_run
from engine.ports.outbox import StoredDelivery
from engine.ports.records import Rejected
from engine.profile.document import Link, WaitStub
from engine.profile.merge_history import describe_link
from engine.profile.operator_view import wait_document
from engine.tracking.operations.timeline import Entry, Timeline


def serialize_timeline(profile: str, timeline: Timeline) -> dict[str, Any]:
    """Return a timeline with its entries, newest first. Times are ms."""
    return {
        "profile": profile,
        "entries": [_entry(entry) for entry in timeline.entries],
        "before": timeline.before,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    """Return an entry: `at`, `kind`, the document of what happened under the name of the kind, and its runs."""
    document = {"at": entry.at, "kind": entry.kind, entry.kind: _what(entry)}
    return document | ({"runs": [serialize_run(run) for run in entry.runs]} if entry.kind == "event" else {})


def _what(entry: Entry) -> dict[str, Any]:
    match entry.what:
        case Link():
            return describe_link(entry.what)
        case WaitStub():
            return wait_document(entry.what)
        case StoredDelivery():
            return serialize_delivery(entry.what)
        case Rejected():
            return serialize_rejected(entry.what)
    plain: dict[str, Any] = msgspec.to_builtins(entry.what)
    return plain

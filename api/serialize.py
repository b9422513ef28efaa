"""Stored records as the reading routes return them: plain JSON."""

from typing import Any

import msgspec
from msgspec import Struct

from engine.ports.outbox import StoredDelivery
from engine.ports.records import Rejected, RunRecord
from engine.ports.resolve import group_of
from engine.profile.declared import Fields
from engine.profile.document import Profile
from engine.profile.operator_view import operator_view


def serialize_record(record: Struct, fields: Fields) -> dict[str, Any]:
    """Return any record that a search finds; of a profile what operators are shown."""
    match record:
        case Profile():
            return operator_view(group_of(record, record.id), fields)
        case RunRecord():
            return serialize_run(record)
        case Rejected():
            return serialize_rejected(record)
        case StoredDelivery():
            return serialize_delivery(record)
    plain: dict[str, Any] = msgspec.to_builtins(record, enc_hook=_plain)
    return plain


def serialize_run(run: RunRecord) -> dict[str, Any]:
    """Return a run with its trace."""
    trace = _plain(run.trace)
    known = {name: value for name, value in msgspec.structs.asdict(run).items() if name not in {"trace", "recording"}}
    known["shape"] = known.pop("reason")  # the trace has the reason itself
    known["recorded"] = run.recording is not msgspec.UNSET
    return {**known, **(trace if isinstance(trace, dict) else {"trace": trace})}


def serialize_delivery(delivery: StoredDelivery) -> dict[str, Any]:
    """Return a delivery with its message, as it is stored, and also what it has by default. No secret is in it."""
    document: dict[str, Any] = msgspec.to_builtins(delivery)
    return {**document, "state": delivery.state, "mode": delivery.mode, "attempts": delivery.attempts}


def serialize_rejected(rejected: Rejected) -> dict[str, Any]:
    """Return a rejected event with its body."""
    return {**msgspec.structs.asdict(rejected), "body": _plain(rejected.body)}


def _plain(raw: msgspec.Raw) -> Any:
    """Return stored JSON as data; if it cannot be decoded, as text with U+FFFD for bytes that are no UTF-8."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return bytes(raw).decode(errors="replace")

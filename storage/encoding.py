"""Encode stored values as JSON and decode them: one encoder, and one decoder for each kind of document."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from engine.language.json_spans import NotCut, cut_object
from engine.ports.records import RecordWrite, Session, Unit
from engine.profile.document import Profile
from engine.profile.upgrade import upgraded

R = TypeVar("R", bound=Struct)

encode = msgspec.json.Encoder().encode

_decode_profile = msgspec.json.Decoder(Profile).decode


def decode_profile(doc: bytes | str) -> Profile:
    """Decode a profile, also one that an earlier version stored."""
    profile = _decode_profile(doc)
    return upgraded(profile) if profile.steps else profile


def decoder_of(record: type[R]) -> Callable[[bytes | str], R]:
    """Return the function that decodes records of a type from JSON.

    One record must not make every list that holds it unreadable. So a field with a value of another type, such as an
    earlier version may have stored, has that value, unless it is a whole number or a text; these become 0 and the text
    of what is stored. A field that cannot be decoded is the text of it.
    """
    decode = msgspec.json.Decoder(record).decode

    def decoded(doc: bytes | str) -> R:
        try:
            return decode(doc)
        except (msgspec.DecodeError, RecursionError) as error:
            try:
                return _salvaged(record, doc.encode() if isinstance(doc, str) else doc)
            except NotCut:
                raise msgspec.DecodeError(str(error)) from error

    return decoded


def _salvaged(record: type[R], doc: bytes) -> R:
    """Return a record with fields of other types than declared, or malformed or missing ones. Raises `NotCut`."""
    stored = {name: doc[start:end].strip() for name, (start, end) in cut_object(doc).members.items()}
    values: dict[str, Any] = {}
    for each in structs.fields(record):
        raw = stored.get(each.encode_name, b"null")
        if raw == b"null" and not each.required:
            continue
        try:
            values[each.name] = msgspec.json.decode(raw, type=each.type)
        except (msgspec.DecodeError, RecursionError):
            values[each.name] = _of_other_type(each.type, raw)
    return record(**values)


def _of_other_type(type: Any, raw: bytes) -> Any:
    text = raw.decode(errors="replace")
    if type is int:
        return 0
    if type is msgspec.Raw:
        return msgspec.Raw(encode(text))
    try:
        return text if type in (str, str | None) else msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return text


decode_session = decoder_of(Session)


def check_unit(unit: Unit) -> None:
    """Refuse a unit that writes a document without raising its version, or whose changes of records no store accepts.

    Compare-and-set could not distinguish two documents with the same version. Raises `ValueError`: the caller is at
    fault, and running the unit again would not help.
    """
    for write in unit.profiles:
        if write.profile.version <= write.expected:
            raise ValueError(
                f"profile {write.profile.id}: version {write.profile.version} is not newer than {write.expected}"
            )
    for change in unit.sessions:
        session = change.session
        if session.version <= change.expected:
            raise ValueError(f"session {session.id}: version {session.version} is not newer than {change.expected}")
    if unit.changes:
        _check_changes(unit)


def _check_changes(unit: Unit) -> None:
    names = {(change.kind.name, change.id) for change in unit.changes}
    if len(names) < len(unit.changes):
        raise ValueError("a unit changes a record twice")
    if unit.sessions and not unit.profiles and any(change.expected for change in unit.changes):
        raise ValueError("a unit without a profile writes a session and changes a stored record: commit two units")
    for change in unit.changes:
        if isinstance(change, RecordWrite):
            version = change.kind.version_of(change.record)
            if version <= change.expected:
                raise ValueError(
                    f"{change.kind.name} {change.id}: version {version} is not newer than {change.expected}"
                )

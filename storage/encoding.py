"""Encode stored values as JSON and decode them: one encoder, and one decoder for each kind of document."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from engine.ports.records import RecordWrite, Session, Unit
from engine.profile.document import Profile

R = TypeVar("R", bound=Struct)

encode = msgspec.json.Encoder().encode

decode_profile = msgspec.json.Decoder(Profile).decode
decode_session = msgspec.json.Decoder(Session).decode


def decoder_of(record: type[R]) -> Callable[[bytes | str], R]:
    """Return the function that decodes records of a type from JSON."""
    return msgspec.json.Decoder(record).decode


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

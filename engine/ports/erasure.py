"""The documents that are erased when a profile is forgotten."""

from collections import Counter
from collections.abc import Collection
from typing import Any, TypeVar

from msgspec import Struct

from engine.ports.kind import Kind
from engine.ports.records import StoredEvent

R = TypeVar("R", bound=Struct)

SessionName = tuple[str, str]  # source and id


class DataSubject(Struct, frozen=True):
    """The profile ids and sessions that identify the documents to be erased."""

    ids: frozenset[str]
    sessions: frozenset[SessionName] = frozenset()

    def sessions_by_source(self) -> dict[str, list[str]]:
        """The ids of the sessions, for each source that has any."""
        found: dict[str, list[str]] = {}
        for source, id in sorted(self.sessions):
            found.setdefault(source, []).append(id)
        return found


Erased = Counter[str]  # how many documents of each kind have been erased
EventName = tuple[str, str, int]  # source, id and time: a sender may use an id again


def event_name(event: StoredEvent) -> EventName:
    """Return the key that identifies one event."""
    return event.source, event.id, event.received


def belongs(kind: Kind[R], record: R, subject: DataSubject, events: Collection[EventName] = ()) -> bool:
    """Whether a record is erased together with `subject` and these events of it."""
    owners = kind.owners
    if kind.event is not None and (_read(record, "source"), _read(record, kind.event), kind.time_of(record)) in events:
        return True
    if owners.others is not None and not subject.ids.isdisjoint(_read(record, owners.others)):
        return True
    profile = None if owners.profile is None else _read(record, owners.profile)
    if profile in subject.ids:
        return True
    if owners.session is None or (profile is not None and not owners.named):
        return False
    return (_read(record, "source"), _read(record, owners.session)) in subject.sessions


def _read(record: Struct, field: str) -> Any:
    return getattr(record, field)

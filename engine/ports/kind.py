"""A kind of stored record, described as data: all that stores, erasure, export, retention and search know of it."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct, structs

from engine.search.field import FieldType, Searchable

# appended: records are added and never changed. keyed: one record for each key, the last one written counts until it
# expires. versioned: a record has a `version`, by which it is changed or deleted under compare-and-set; its id is never
# used again once it is deleted.
Lifecycle = Literal["appended", "keyed", "versioned"]

R = TypeVar("R", bound=Struct)


class Owners(Struct, frozen=True, kw_only=True):
    """The fields that name the owner of a record: it is erased with its owner, and exported if it is searchable.

    `profile` holds a profile's id. `session` holds a session's id, of the source in the field `source`; the session
    owns the record where no profile does. `named` says that the profile is only the one that a sender named, so that
    the session owns the record as well. `others` holds a tuple of ids of further profiles whose data the record
    contains: erasing one of them erases the record; an export leaves out these ids, and writes a text in place of the
    fields that `shown` names, which contain that data. The fields that `withheld` names are part of no export: they
    repeat data for programs, together with data of the sender, who may be another person.
    """

    profile: str | None = None
    session: str | None = None
    named: bool = False
    others: str | None = None
    shown: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()


class Kind(Struct, Generic[R], frozen=True, kw_only=True):
    """One kind of record.

    `name` is a plural word: the member of a unit, the table or index, the word in a search, the file of an export.
    `record` is the type; the other attributes name fields of it: `id` (of a keyed kind the key), `time` (ms since the
    epoch: it orders search results and decides on retention; of a keyed kind, when it expires), `indexed` (texts by
    which stores find records quickly), `due` (ms or None, of versioned kinds: see `Store.due_records`), `queue` (a text
    that divides due records), `event` (the id of an event: a record of the same source and time is erased
    together with it).

    The fields for the owners and the time have no default but None: stores compare them as stored. `retained` says
    whether `retention:` may drop records by their age; `search` lists the fields that can be searched, if any, and
    `stand_ins` is as of `Searchable`.
    """

    name: str
    record: type[R]
    lifecycle: Lifecycle
    id: str = "id"
    time: str
    owners: Owners = Owners()
    event: str | None = None
    due: str | None = None
    queue: str | None = None
    indexed: tuple[str, ...] = ()
    retained: bool = False
    search: Mapping[str, FieldType] | None = None
    stand_ins: Mapping[str, tuple[str, ...]] = {}

    @property
    def searchable(self) -> Searchable | None:
        """The name and fields by which records of this kind can be searched; None if they cannot."""
        if self.search is None:
            return None
        defaults = [field.default for field in structs.fields(self.record) if field.name in self.search]
        omitted = tuple([default for default in defaults if isinstance(default, str)])
        return Searchable(
            name=self.name, fields=self.search, newest=self.time, omitted=omitted, stand_ins=self.stand_ins
        )

    def id_of(self, record: R) -> str:
        """The id, or the key, of a record."""
        id: str = getattr(record, self.id)
        return id

    def time_of(self, record: R) -> int:
        """The time of a record (ms since the epoch)."""
        time: int = getattr(record, self.time)
        return time

    def version_of(self, record: R) -> int:
        """The version of a record of a versioned kind."""
        version: int = getattr(record, "version")  # noqa: B009 - the type does not say that it has one
        return version

    def due_of(self, record: R) -> int | None:
        """When a record is due (ms since the epoch); None if it is not."""
        due: int | None = None if self.due is None else getattr(record, self.due)
        return due

    def stored_name(self, field: str) -> str:
        """The name of a field in the stored document."""
        return next(each.encode_name for each in structs.fields(self.record) if each.name == field)


AnyKind = Kind[Any]

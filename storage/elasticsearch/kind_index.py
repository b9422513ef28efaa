"""The index of one kind of record: its name, its fields, and how a record becomes a document.

All of it follows from the kind's row in `engine/ports/kinds.py`. Fields that can be searched are called as in searches,
all others as in the stored record. Beside them, a document holds the exact record as one text (`doc`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct, structs

from engine.ports.kind import Kind
from engine.search.field import Field, FieldType
from engine.search.match import texts
from storage.elasticsearch.document_id import id_of
from storage.elasticsearch.documents import gone_source
from storage.elasticsearch.mapping import COUNT, FREE, LONGEST_TERM, ORDERED, TIME, VERSIONED, WORD, Fields
from storage.elasticsearch.numbers import NUMBERS, numbers_of
from storage.elasticsearch.periods import month
from storage.elasticsearch.searchable import searchable
from storage.elasticsearch.searched_index import COMMITTED, SearchedIndex
from storage.encoding import decoder_of, encode

R = TypeVar("R", bound=Struct)

TYPES: Final[Mapping[FieldType, Fields]] = {"word": WORD, "prose": WORD, "moment": TIME, "number": COUNT, "free": FREE}
OWN: Final[Mapping[str, Fields]] = {"appended": ORDERED, "keyed": {"doc": ORDERED["doc"]}, "versioned": VERSIONED}


class KindIndex(Generic[R]):
    """Where the records of one kind are. `name` is an index, or the alias of the indices of its months."""

    def __init__(self, prefix: str, kind: Kind[R]) -> None:
        self.kind = kind
        self.name = f"{prefix}-{kind.name}"
        self.monthly = kind.lifecycle == "appended" and kind.retained
        self.decode: Callable[[bytes | str], R] = decoder_of(kind.record)
        self._columns = dict(_columns(kind))  # mappings by attribute
        self._of_any_type = frozenset([each.name for each in structs.fields(kind.record) if each.type is Any])
        names = {self.field(attribute): mapping for attribute, mapping in self._columns.items()}
        own = OWN[kind.lifecycle]
        self._free = [attribute for attribute, mapping in self._columns.items() if mapping is FREE]
        if self._free:
            own = {**own, NUMBERS: FREE}
        if clash := own.keys() & names.keys() - {"version"}:
            raise ValueError(f"{kind.name}: no searched or indexed field may be called {', '.join(sorted(clash))}")
        self.fields: Fields = {**names, **own}
        self._read = [
            (self.field(attribute), attribute, mapping is FREE) for attribute, mapping in self._columns.items()
        ]

    def field(self, attribute: str) -> str:
        """The name of a record's attribute in documents."""
        return attribute if attribute in (self.kind.search or {}) else self.kind.stored_name(attribute)

    @property
    def searched(self) -> SearchedIndex:
        """How a search reads this index."""
        kind = self.kind
        order = COMMITTED if kind.lifecycle == "appended" else {self.field(kind.time): int, self.field(kind.id): str}
        only = STORED if kind.lifecycle == "versioned" else None
        return SearchedIndex(self.name, order, self.decode, only, numbers=bool(self._free))

    def place(self, record: R) -> str:
        """The index of a record."""
        return f"{self.name}-{month(self.kind.time_of(record))}" if self.monthly else self.name

    def document_id(self, id: str) -> str:
        """The document id of a keyed or versioned record."""
        return id_of(id)

    def source(self, record: R, **own: Any) -> bytes:
        """The document of a record, encoded, with `own` fields that are no part of the record; empty ones left out."""
        fields: dict[str, Any] = {}
        for name, attribute, free in self._read:
            value = getattr(record, attribute)
            if value is not None and value != ():
                if not free:
                    fields[name] = value if type(value) in PLAIN else self._indexable(attribute, value)
                elif value:
                    fields[name] = searchable(value)
        numbers = {attribute: found for attribute in self._free if (found := numbers_of(getattr(record, attribute)))}
        if numbers:
            fields[NUMBERS] = searchable(numbers)
        fields["doc"] = encode(record).decode()
        fields.update([(name, value) for name, value in own.items() if value is not None and value != []])
        return encode(fields)

    def _indexable(self, attribute: str, value: Any) -> Any:
        """A value of another type than declared, as its field can index it; None if it cannot."""
        if self._columns[attribute] is not WORD:
            return None
        if attribute in self._of_any_type:
            return [text for text in texts(Field(attribute), {attribute: value}) if len(text) <= LONGEST_TERM]
        return encode(value).decode()  # as it is decoded

    def changed(self, doc: str | None, pending: list[str], recent: list[str], unfinished: int | None) -> bytes:
        """The document of a versioned record whose text is `doc`, or which has just been deleted, encoded."""
        if doc is None:
            return gone_source(pending, recent, unfinished)
        return self.source(self.decode(doc), pending=pending, recent=recent, unfinished=unfinished)


PLAIN: Final = frozenset({str, int, tuple})
STORED: Final[Mapping[str, Any]] = {"range": {"version": {"gte": 0}}}  # no tombstone: those have no version


def _columns(kind: Kind[Any]) -> Iterator[tuple[str, Fields]]:
    """The attributes of a record that its document repeats for searches, with their mappings."""
    search = kind.search or {}
    owners = kind.owners
    if kind.time not in search:
        yield kind.time, COUNT
    if kind.due is not None and kind.due not in search:
        yield kind.due, COUNT
    if kind.queue is not None and kind.queue not in search:
        yield kind.queue, WORD
    if kind.lifecycle != "keyed" or search:
        yield kind.id, WORD
    if owners.session is not None or kind.event is not None:
        yield "source", WORD
    for attribute in (owners.profile, owners.session, owners.others, kind.event, *kind.indexed):
        if attribute is not None:
            yield attribute, WORD
    for attribute, type in search.items():
        yield attribute, TYPES[type]
    if kind.lifecycle == "versioned":
        yield "version", COUNT

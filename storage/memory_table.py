"""The records of one kind in dictionaries, encoded, numbered in the order of arrival."""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Generic, TypeVar

from msgspec import Struct

from engine.ports.kind import Kind
from engine.ports.records import RecordDelete, RecordWrite
from engine.ports.store import Conflict
from storage.encoding import decoder_of

R = TypeVar("R", bound=Struct)


class MemoryTable(Generic[R]):
    """All records of a kind. A versioned one keeps its number as long as it is stored."""

    def __init__(self, kind: Kind[R]) -> None:
        self.kind = kind
        self.decode = decoder_of(kind.record)
        self._docs: dict[int, bytes] = {}
        self._by_id: dict[str, int] = {}  # the newest record of an id
        self._by_field: dict[str, dict[str, list[int]]] = {field: {} for field in kind.indexed}
        self._due: dict[str, int] = {}
        self._queues: dict[str, str] = {}
        self._last = 0

    def __len__(self) -> int:
        """How many records there are."""
        return len(self._docs)

    def docs(self) -> list[tuple[int, bytes]]:
        """All current records, encoded, by ascending number."""
        return list(self._docs.items())

    def get(self, id: str) -> R | None:
        """A record by its id or key."""
        number = self._by_id.get(id)
        return None if number is None else self.decode(self._docs[number])

    def all(self) -> Iterator[R]:
        """All records, oldest first."""
        return map(self.decode, self._docs.values())

    def of(self, field: str, value: str, limit: int = sys.maxsize) -> list[R]:
        """The newest records with a value in an indexed field, newest first."""
        numbers = reversed(self._by_field[field].get(value, ()))
        return [self.decode(self._docs[number]) for number in islice(numbers, max(limit, 0))]

    def newest(self, limit: int) -> list[R]:
        """The newest records, newest first."""
        return [self.decode(doc) for doc in islice(reversed(self._docs.values()), max(limit, 0))]

    @property
    def last(self) -> int:
        """The number of the record that was stored last; a record that is gone counts."""
        return self._last

    def after(self, number: int, count: int) -> list[tuple[int, R]]:
        """The records behind a number, at most `count`, the earliest first."""
        found = []
        for known in reversed(self._docs):
            if known <= number:
                break
            found.append(known)
        return [(known, self.decode(self._docs[known])) for known in reversed(found)][:count]

    def due(self, before: int, limit: int, queue: str | None = None) -> list[R]:
        """The due records, those due longest first; of one queue, if one is named."""
        found = sorted((due, id) for id, due in self._due.items() if due <= before)
        if queue is not None:
            found = [each for each in found if self._queues[each[1]] == queue]
        return [self.decode(self._docs[self._by_id[id]]) for _, id in found[: max(limit, 0)]]

    def count_due(self, before: int, queue: str) -> int:
        """The number of due records of a queue."""
        return sum(due <= before and self._queues[id] == queue for id, due in self._due.items())

    def check(self, change: RecordWrite | RecordDelete) -> None:
        """Raise `Conflict` unless the record is at the version that the change expects."""
        stored = self.get(change.id)
        if (0 if stored is None else self.kind.version_of(stored)) != change.expected:
            raise Conflict("record", change.id)

    def put(self, record: R, doc: bytes) -> None:
        """Store a record."""
        id = self.kind.id_of(record)
        number = None if self.kind.lifecycle == "appended" else self._by_id.get(id)
        if number is None or self.kind.lifecycle == "keyed":
            self.drop([] if number is None else [number])
            self._last += 1
            number = self._last
        else:
            self._unindex(number)
        self._docs[number] = doc
        self._index(number, record)

    def delete(self, id: str) -> None:
        """Delete a record by its id or key, if it is stored."""
        if id in self._by_id:
            self.drop([self._by_id[id]])

    def numbers(self, condition: Callable[[R], bool]) -> list[int]:
        """The numbers of the records for which a condition holds."""
        return [number for number, doc in self._docs.items() if condition(self.decode(doc))]

    def before(self, time: int) -> list[int]:
        """The numbers of the records from before a time (ms since the epoch)."""
        return self.numbers(lambda record: self.kind.time_of(record) < time)

    def drop(self, numbers: Iterable[int]) -> int:
        """Drop records by their numbers. Returns how many were dropped."""
        count = 0
        for number in numbers:
            self._unindex(number)
            del self._docs[number]
            count += 1
        return count

    def _index(self, number: int, record: R) -> None:
        id, due = self.kind.id_of(record), self.kind.due_of(record)
        self._by_id[id] = number
        if due is not None:
            self._due[id] = due
            if self.kind.queue is not None:
                self._queues[id] = getattr(record, self.kind.queue)
        for field, numbers in self._by_field.items():
            value = getattr(record, field)
            if value is not None:
                numbers.setdefault(value, []).append(number)

    def _unindex(self, number: int) -> None:
        record = self.decode(self._docs[number])
        id = self.kind.id_of(record)
        self._due.pop(id, None)
        self._queues.pop(id, None)
        if self._by_id.get(id) == number:
            del self._by_id[id]
        for field, numbers in self._by_field.items():
            value = getattr(record, field)
            if value is not None:
                numbers[value].remove(number)
                if not numbers[value]:  # the value may be personal
                    del numbers[value]

"""Retention: the oldest records are dropped, some at a time.

Records are numbered in the order of arrival, so their times ascend except where units overlap. Only the start of a
table is dropped, up to the first record that is to be kept: events stay numbered without gaps (counting depends on
that), and a profile's list of events ends at the first dropped one. The number of the last dropped event is stored,
because no number is ever used twice: profiles, events and marks may still lead to it.
"""

from collections.abc import Iterator
from itertools import takewhile

from msgspec import Struct

from engine.project.retention import Dropped, Keep
from storage.sqlite.change import ROW_BYTES, Change
from storage.sqlite.layout import Layout, Layouts
from storage.sqlite.query import CHUNK
from storage.sqlite.reader import Reader
from storage.sqlite.statement import DROP_POINTER

POINTERS = "SELECT seq, at, stored FROM marks WHERE seq > ? ORDER BY seq LIMIT ?"


class Oldest(Struct, frozen=True):
    """Some records at the start of a table that are to be dropped: those numbered up to `last`."""

    layout: Layout
    last: int
    count: int

    def change(self) -> Change:
        """The change that drops them."""
        rows = [(statement, (self.last,)) for statement in self.layout.dropping]
        return Change(rows=rows, bytes=ROW_BYTES * self.count)


def oldest(reader: Reader, layout: Layout, before: int, after: int = 0) -> Oldest | None:
    """The first records of a kind after number `after` that are from before a time; None if there are none."""
    number, time = layout.number, layout.kind.stored_name(layout.kind.time)
    rows = reader.rows(
        f"SELECT {number}, doc ->> '$.{time}' FROM {layout.name} WHERE {number} > ? ORDER BY {number} LIMIT ?",  # noqa: S608
        after,
        CHUNK,
    )
    old = [seq for seq, _ in takewhile(lambda row: row[1] < before, rows)]
    return Oldest(layout, old[-1], len(old)) if old else None


def expired(reader: Reader, layouts: Layouts, keep: Keep) -> Dropped:
    """Count the records to be dropped."""
    return +Dropped({kind: sum(_counts(reader, layouts.by_name[kind], before)) for kind, before in keep.items()})


def pointers(reader: Reader) -> list[int]:
    """The numbers of some forgotten marks that lead to dropped events.

    Marks are in the order of the events that they lead to, so those of dropped events come first.
    """
    found = reader.row("SELECT value FROM meta WHERE name = 'dropped'")
    dropped = 0 if found is None else int(found[0])
    marks = reader.rows(POINTERS, 0, CHUNK)
    return [seq for seq, _, _ in takewhile(lambda mark: mark[1] is None and mark[2] <= dropped, marks)]


def without(seqs: list[int]) -> Change:
    """The change that drops these marks, unless the id of their event has taken effect again."""
    return Change(rows=[(DROP_POINTER, (seq,)) for seq in seqs], bytes=ROW_BYTES * len(seqs))


def _counts(reader: Reader, layout: Layout, before: int) -> Iterator[int]:
    after = 0
    while (found := oldest(reader, layout, before, after)) is not None:
        yield found.count
        after = found.last

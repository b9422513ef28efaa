"""The tables and statements of the kinds of records: for events by hand (`schema.py` says why), for others by `Kind`.

The table of a kind has its name. Its columns are the id, the fields that SQL searches or compares, and the document.
Rows are numbered in the order of arrival; a versioned record keeps its number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from msgspec import Struct

from engine.ports.kind import AnyKind
from engine.ports.kinds import EVENTS
from engine.ports.records import RecordDelete, RecordWrite
from storage.encoding import decoder_of, encode
from storage.sqlite.statement import (
    DROP_EVENTS,
    DROP_GAPS,
    DROPPED,
    ERASE_EVENTS,
    GAP,
    Row,
    Statement,
)

Bound = tuple[Statement, Row]  # a statement, and a row that it takes


class Layout(Struct, frozen=True, eq=False, kw_only=True):
    """The table of a kind and the statements on it.

    `number` is the column that numbers the rows. `find` selects a document by its id. Each text of `indexed` is an SQL
    condition that an index answers; its placeholders name the fields that it needs values of. `identity` lists the
    columns that identify a row, since a number may be used again once its row is erased; it starts with the columns
    that the `erasing` statements take. The `dropping` statements take the number up to which rows are dropped.
    """

    kind: AnyKind
    decode: Callable[[bytes], Any]
    number: str
    find: str
    count: str
    indexed: tuple[str, ...]
    identity: str
    erasing: tuple[Statement, ...]
    dropping: tuple[Statement, ...]

    @property
    def name(self) -> str:
        """The name of the kind and of its table."""
        return self.kind.name


class RecordLayout(Layout, frozen=True, eq=False, kw_only=True):
    """The layout that follows from a kind's row, with the statements that write its records.

    `columns` are those between the id and the document, `read` returns the values of all but the document. `write` adds
    a record, or puts it in place of the one with its key. Only versioned records are changed, deleted or expected to be
    absent; only keyed ones expire.
    """

    columns: tuple[str, ...]
    read: Callable[[Any], Row]
    write: Statement
    change: Statement
    delete: Statement
    absent: Statement
    expire: Statement
    expired: str

    @property
    def tables(self) -> tuple[str, ...]:
        """The statements that make the table and its indices, where they are missing."""
        name, lifecycle = self.name, self.kind.lifecycle
        id = {"appended": "TEXT NOT NULL", "keyed": "TEXT PRIMARY KEY", "versioned": "TEXT NOT NULL UNIQUE"}[lifecycle]
        seq = () if lifecycle == "keyed" else ("seq INTEGER PRIMARY KEY",)
        others = [f"{_quoted(column)} {TYPES.get(column, 'TEXT')}" for column in self.columns]
        indices = [column for column in self.columns if column not in ("version", "queue")]
        return (
            f"CREATE TABLE IF NOT EXISTS {name} ({', '.join([*seq, f'id {id}', *others, 'doc TEXT NOT NULL'])})",
            *((f"CREATE INDEX IF NOT EXISTS {name}_id ON {name} (id)",) if lifecycle == "appended" else ()),
            *[
                f"CREATE INDEX IF NOT EXISTS {name}_{column} ON {name} ({_quoted(column)})"
                f" WHERE {_quoted(column)} IS NOT NULL"
                for column in indices
            ],
            *((f"CREATE INDEX IF NOT EXISTS {name}_queue ON {name} (queue, due)",) if self.kind.queue else ()),
        )

    def written(self, records: Sequence[Any]) -> list[Bound]:
        """Records of an appended or keyed kind, as rows."""
        return [(self.write, (*self.read(record), encode(record))) for record in records]

    def changed(self, change: RecordWrite | RecordDelete) -> Bound:
        """The statement and row that write or delete a versioned record, or check that it is absent."""
        if isinstance(change, RecordDelete):
            return (self.delete, (change.id, change.expected)) if change.expected else (self.absent, (change.id,))
        row = self.read(change.record)
        if change.expected == 0:
            return self.write, (*row, encode(change.record))
        return self.change, (*row, change.expected, encode(change.record))


TYPES = {"version": "INTEGER NOT NULL", "due": "INTEGER", "expires": "INTEGER NOT NULL"}

EVENT_LAYOUT = Layout(
    kind=EVENTS,
    decode=decoder_of(EVENTS.record),
    number="seq",
    find="""SELECT CAST(doc AS BLOB) FROM events WHERE seq = (
        SELECT max(seq) FROM (SELECT seq FROM events WHERE id = ?1 UNION ALL SELECT stored FROM marks WHERE event = ?1)
    )""",
    # The only gaps in the numbers of events are in `gaps`; counting a million rows would take too long.
    count="""SELECT coalesce(last - first + 1 - (SELECT count(*) FROM gaps WHERE seq BETWEEN first AND last), 0)
        FROM (SELECT (SELECT min(seq) FROM events) AS first, (SELECT max(seq) FROM events) AS last)""",
    indexed=(
        """seq IN (
            SELECT seq FROM events WHERE id IN ({id}) UNION ALL SELECT stored FROM marks WHERE event IN ({id})
        )""",
        # The events of a profile are linked, from the newest.
        """seq IN (
            WITH RECURSIVE linked (seq) AS (
                SELECT newest FROM profiles WHERE id IN ({profile})
                UNION
                SELECT events.previous FROM linked JOIN events ON events.seq = linked.seq
            )
            SELECT seq FROM linked
        )""",
    ),
    identity="seq, doc ->> '$.source', doc ->> '$.id', doc ->> '$.received'",
    erasing=(ERASE_EVENTS, GAP),
    dropping=(DROP_EVENTS, DROPPED, DROP_GAPS),
)


class Layouts:
    """The layouts of all kinds of a store: `by_name`; `written` are those of appended and keyed kinds but events."""

    def __init__(self, kinds: Sequence[AnyKind]) -> None:
        made = [record_layout(kind) for kind in kinds if kind.name != EVENTS.name]
        self.by_name: Mapping[str, Layout] = {layout.name: layout for layout in (EVENT_LAYOUT, *made)}
        self.records: Mapping[str, RecordLayout] = {layout.name: layout for layout in made}
        self.written = tuple([layout for layout in made if layout.kind.lifecycle != "versioned"])


def record_layout(kind: AnyKind) -> RecordLayout:
    """The layout that follows from a kind's row."""
    name, fields = kind.name, dict(_columns(kind))
    columns = tuple(fields)
    owner = f"coalesce(doc ->> '$.{kind.stored_name(kind.owners.profile)}', '')" if kind.owners.profile else "''"
    indexed = [(kind.id, "id"), *[(field, _quoted(field)) for field in kind.indexed]]
    return RecordLayout(
        kind=kind,
        decode=decoder_of(kind.record),
        number="rowid",
        find=f"SELECT CAST(doc AS BLOB) FROM {name} WHERE id = ? ORDER BY rowid DESC LIMIT 1",  # noqa: S608
        count=f"SELECT count(*) FROM {name}",  # noqa: S608 - here and below: names from the code
        indexed=tuple([f"{column} IN ({{{field}}})" for field, column in indexed]),
        identity=f"rowid, id, {owner}",
        erasing=(_erase(name, owner),),
        dropping=(_drop(name),),
        columns=columns,
        read=_reader_of((kind.id, *fields.values())),
        write=_write(kind, columns),
        change=_change(name, columns),
        delete=_delete(name),
        absent=_absent(name),
        expire=_expire(name),
        expired=f"SELECT id, expires FROM {name} WHERE expires < ? LIMIT ?",  # noqa: S608
    )


def _columns(kind: AnyKind) -> Iterator[tuple[str, str]]:
    """The columns between the id and the document, and the fields whose values they hold."""
    yield from [(field, field) for field in kind.indexed]
    if kind.lifecycle == "keyed":
        yield "expires", kind.time
    if kind.lifecycle == "versioned":
        yield "version", "version"
    if kind.due is not None:
        yield "due", kind.due
    if kind.queue is not None:
        yield "queue", kind.queue


def _reader_of(fields: tuple[str, ...]) -> Callable[[Any], Row]:
    """Return a function that reads the values of fields as a tuple."""
    if len(fields) > 1:
        return attrgetter(*fields)
    get = attrgetter(*fields)
    return lambda record: (get(record),)


def _write(kind: AnyKind, columns: tuple[str, ...]) -> Statement:
    names = ("id", *map(_quoted, columns), "doc")
    into = f"INTO {kind.name} ({', '.join(names)}) SELECT {', '.join(names[:-1])}, CAST(doc AS TEXT)"
    rows = "FROM given WHERE id IS NOT NULL"
    match kind.lifecycle:
        case "appended":
            return Statement(f"append {kind.name}", names, f"INSERT {into} {rows}")
        case "keyed":
            return Statement(f"put {kind.name}", names, f"INSERT OR REPLACE {into} {rows}")
        case "versioned":
            sql = f"INSERT {into} {rows} ON CONFLICT (id) DO NOTHING"
            return Statement(f"create {kind.name}", names, sql, moved="record")


def _change(name: str, columns: tuple[str, ...]) -> Statement:
    values = [f"{_quoted(column)} = given.{_quoted(column)}" for column in columns]
    return Statement(
        f"change {name}",
        ("id", *map(_quoted, columns), "expected", "doc"),
        f"UPDATE {name} SET {', '.join([*values, 'doc = CAST(given.doc AS TEXT)'])}"  # noqa: S608
        f" FROM given WHERE {name}.id = given.id AND {name}.version = given.expected",
        moved="record",
    )


def _delete(name: str) -> Statement:
    return Statement(
        f"delete {name}",
        ("id", "expected"),
        f"DELETE FROM {name} WHERE (id, version) IN (SELECT id, expected FROM given)",  # noqa: S608
        moved="record",
    )


def _absent(name: str) -> Statement:
    return Statement(
        f"no {name}",
        ("id",),
        f"SELECT count(*) FROM given WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM {name})",  # noqa: S608
        moved="record",
    )


def _expire(name: str) -> Statement:
    return Statement(
        f"expire {name}",
        ("id", "expires"),
        f"DELETE FROM {name} WHERE (id, expires) IN (SELECT id, expires FROM given)",  # noqa: S608
    )


def _drop(name: str) -> Statement:
    return Statement(f"drop {name}", ("last",), f"DELETE FROM {name} WHERE rowid <= (SELECT max(last) FROM given)")  # noqa: S608


def _erase(name: str, owner: str) -> Statement:
    return Statement(
        f"erase {name}",
        ("seq", "id", "owner"),
        f"DELETE FROM {name} WHERE rowid IN (SELECT seq FROM given) AND id IN (SELECT id FROM given)"  # noqa: S608
        f" AND {owner} IN (SELECT owner FROM given)",
    )


def _quoted(name: str) -> str:
    return f'"{name}"'

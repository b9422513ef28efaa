"""The queries of the store, as SQL. The document is the last column, as bytes for the decoders."""

from msgspec import Struct

from engine.ports.records import Counts
from storage.sqlite.change import ROW_BYTES, Change
from storage.sqlite.layout import Layouts
from storage.sqlite.reader import Reader
from storage.sqlite.statement import DROP_MARK, FORGET, META

PROFILE = "SELECT merged_into, CAST(doc AS BLOB) FROM profiles WHERE id = ?"
SESSION = "SELECT CAST(doc AS BLOB) FROM sessions WHERE source = ? AND id = ?"
MARK = "SELECT at, session, profile FROM marks WHERE event = ? AND source = ? AND at IS NOT NULL"
MARKS = """
SELECT wanted.value, at, session, profile FROM json_each(?) AS wanted
CROSS JOIN marks ON marks.event = wanted.value AND marks.source = ? AND at IS NOT NULL
"""
REJECTED = "SELECT CAST(doc AS BLOB) FROM rejected ORDER BY seq DESC LIMIT ?"
RUNS_OF = "SELECT CAST(doc AS BLOB) FROM runs WHERE event = ? ORDER BY seq"
# Follows the links from a profile's newest event; each leads to an older one, so the numbers descend.
EVENTS_OF = """
WITH RECURSIVE
    wanted (profile, most) AS (VALUES (?, ?)),
    linked (seq, nth) AS (
        SELECT newest, 1 FROM profiles, wanted WHERE profiles.id = wanted.profile AND wanted.most > 0
        UNION ALL
        SELECT events.previous, nth + 1 FROM linked, wanted JOIN events ON events.seq = linked.seq
        WHERE nth < wanted.most
    )
SELECT CAST(events.doc AS BLOB) FROM linked JOIN events ON events.seq = linked.seq ORDER BY events.seq DESC
"""
# The counts of documents that are no records: `Layout.count` counts these.
COUNTS = {
    "profiles": "(SELECT count(*) FROM profiles) - (SELECT count(*) FROM profiles WHERE merged_into IS NOT NULL)",
    "sessions": "(SELECT count(*) FROM sessions)",
    "keys": "(SELECT count(*) FROM keys WHERE id <> '')",
}
DUE = "SELECT id FROM profiles WHERE due <= ? ORDER BY due, id LIMIT ?"
NOTE = "SELECT value FROM meta WHERE name = ?"
NOTES = "SELECT name, value FROM meta WHERE name >= ? AND name < ? || char(1114111)"

CHUNK = 1000  # rows that forgetting takes in one transaction


def counts(reader: Reader, layouts: Layouts) -> Counts:
    """Count the stored documents of each kind."""
    counted = COUNTS | {
        name: f"({layout.count})" for name, layout in layouts.by_name.items() if layout.kind.lifecycle != "keyed"
    }
    found = reader.row(f"SELECT {', '.join(counted.values())}")
    return Counts(dict(zip(counted, found or (), strict=True)))


def due_records(name: str, *, of_queue: bool = False) -> str:
    """The SQL for the due documents of a versioned kind, those due longest first; of one queue, which comes first."""
    queue = "queue = ? AND " if of_queue else ""
    return f"SELECT CAST(doc AS BLOB) FROM {name} WHERE {queue}due <= ? ORDER BY due, id LIMIT ?"  # noqa: S608 - our words


def count_due(reader: Reader, name: str, before: int, queue: str) -> int:
    """Count the due documents of a versioned kind in one queue."""
    sql = f"SELECT count(*) FROM {name} WHERE queue = ? AND due <= ?"  # noqa: S608 - our word
    found = reader.row(sql, queue, before)
    return int(found[0]) if found is not None else 0


class OldMarks(Struct, frozen=True):
    """The numbers of marks to be forgotten, and the number up to which no mark is left to forget."""

    seqs: list[int]
    done: int

    def change(self) -> Change:
        """The change that forgets them: marks that lead to an event stay, without their time."""
        return Change(
            rows=[
                *[(FORGET, (seq,)) for seq in self.seqs],
                *[(DROP_MARK, (seq,)) for seq in self.seqs],
                (META, ("forgotten", self.done)),
            ],
            bytes=ROW_BYTES * len(self.seqs),
        )


def old_marks(reader: Reader, before: int) -> OldMarks:
    """The first marks from before a time.

    Marks are numbered in the order of arrival, so their times ascend except where units overlap. Each call scans
    `CHUNK` marks from the end of the last scan, which needs no index by time.
    """
    since = reader.row("SELECT value FROM meta WHERE name = 'forgotten'")
    done = 0 if since is None else int(since[0])
    marks = reader.rows("SELECT seq, at FROM marks WHERE seq > ? ORDER BY seq LIMIT ?", done, CHUNK)
    seqs = [seq for seq, at in marks if at is not None and at < before]
    kept = [seq for seq, at in marks if at is not None and at >= before]
    if kept:
        done = kept[0] - 1
    elif marks:
        done = marks[-1][0]
    return OldMarks(seqs, done)

"""What is read, as SQL. Documents come last and as bytes, which the decoders take as they are."""

from msgspec import Struct

from engine.ports.records import Counts
from storage.sqlite.change import ROW_BYTES, Change
from storage.sqlite.layout import Layouts
from storage.sqlite.reader import Reader
from storage.sqlite.statement import DROP_MARK, FORGET, META

PROFILE = "SELECT merged_into, CAST(doc AS BLOB) FROM profiles WHERE id = ?"
SESSION = "SELECT CAST(doc AS BLOB) FROM sessions WHERE source = ? AND id = ?"
MARK = "SELECT at, session, profile FROM marks WHERE event = ? AND source = ? AND at IS NOT NULL"
REJECTED = "SELECT CAST(doc AS BLOB) FROM rejected ORDER BY seq DESC LIMIT ?"
RUNS_OF = "SELECT CAST(doc AS BLOB) FROM runs WHERE event = ? ORDER BY seq"
# Along the links from a profile's newest event; each leads to an older one, so numbers fall.
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
# Of all but what `Layout.count` counts.
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
    """How much is stored."""
    asked = COUNTS | {
        name: f"({layout.count})" for name, layout in layouts.by_name.items() if layout.kind.sort != "keyed"
    }
    found = reader.row(f"SELECT {', '.join(asked.values())}")
    return Counts(dict(zip(asked, found or (), strict=True)))


def due_records(name: str) -> str:
    """The documents of a versioned kind that are due, first those due longest."""
    return f"SELECT CAST(doc AS BLOB) FROM {name} WHERE due <= ? ORDER BY due, id LIMIT ?"  # noqa: S608 - a word of ours


class OldMarks(Struct, frozen=True):
    """Marks to be forgotten, by number; and the number up to which no mark is left to forget."""

    seqs: list[int]
    done: int

    def change(self) -> Change:
        """Forgets them: those that lead to an event stay, without their time."""
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

    Marks are numbered as they come, so their times rise but for the disorder of units that overlap: looking from
    where the last forgetting ended, through `CHUNK` marks at a time, needs no index by time.
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

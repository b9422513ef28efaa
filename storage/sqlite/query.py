"""What is read, as SQL. Documents come last and as bytes, which the decoders take as they are."""

from msgspec import Struct

from storage.sqlite.change import ROW_BYTES, Change
from storage.sqlite.reader import Reader
from storage.sqlite.statement import DROP_MARK, FORGET, META

PROFILE = "SELECT merged_into, CAST(doc AS BLOB) FROM profiles WHERE id = ?"
SESSION = "SELECT CAST(doc AS BLOB) FROM sessions WHERE source = ? AND id = ?"
MARK = "SELECT at, session, profile FROM marks WHERE event = ? AND source = ? AND at IS NOT NULL"
CACHED = "SELECT CAST(doc AS BLOB) FROM cache WHERE key = ? AND expires > ?"
RUN = "SELECT CAST(doc AS BLOB) FROM runs WHERE id = ? ORDER BY seq DESC LIMIT 1"
RUNS_OF = "SELECT CAST(doc AS BLOB) FROM runs WHERE event = ? ORDER BY seq"
REJECTED = "SELECT CAST(doc AS BLOB) FROM rejected ORDER BY seq DESC LIMIT ?"
EVENT = """
SELECT CAST(doc AS BLOB) FROM events WHERE seq =
    (SELECT max(seq) FROM (SELECT seq FROM events WHERE id = ? UNION ALL SELECT stored FROM marks WHERE event = ?))
"""
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
# Events are numbered without gaps but those in `gaps`, and counting a million rows takes a while.
COUNTS = """
SELECT (SELECT count(*) FROM profiles) - (SELECT count(*) FROM profiles WHERE merged_into IS NOT NULL),
    (SELECT count(*) FROM sessions),
    (SELECT coalesce(last - first + 1 - (SELECT count(*) FROM gaps WHERE seq BETWEEN first AND last), 0)
        FROM (SELECT (SELECT min(seq) FROM events) AS first, (SELECT max(seq) FROM events) AS last)),
    (SELECT count(*) FROM runs),
    (SELECT count(*) FROM rejected),
    (SELECT count(*) FROM keys WHERE id <> '')
"""
COUNTED = ("profiles", "sessions", "events", "runs", "rejected", "keys")
DUE = "SELECT id FROM profiles WHERE due <= ? ORDER BY due, id LIMIT ?"
NOTE = "SELECT value FROM meta WHERE name = ?"
NOTES = "SELECT name, value FROM meta WHERE name >= ? AND name < ? || char(1114111)"
EXPIRED = "SELECT key FROM cache WHERE expires < ? LIMIT ?"

CHUNK = 1000  # rows that forgetting takes in one transaction


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

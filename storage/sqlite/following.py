"""Following: the records of a kind behind a number, in the order of their commits. One writer numbers the rows."""

from engine.ports.following import Followed
from engine.search.match import matches
from engine.search.query import Query
from engine.search.translation import translate
from storage.sqlite.condition import Sql
from storage.sqlite.reader import Reader
from storage.sqlite.search import AT_ONCE, MAX_BYTES, STRETCH, Table


def last_number(reader: Reader, table: Table) -> int:
    """Return the number of the newest row; 0 if there is none."""
    found = reader.row(f"SELECT max({table.number}) FROM {table.name}")  # noqa: S608 - names from the code
    return 0 if found is None or found[0] is None else int(found[0])


def numbered_after(reader: Reader, table: Table, query: Query, after: int, limit: int) -> Followed:
    """Return matching rows behind a number, at most `limit` and about `MAX_BYTES`, of the next `STRETCH` rows."""
    last = last_number(reader, table)
    if last < after:  # the newest rows were erased, and their numbers will be used again
        return Followed((), last, last)
    upto, limit = min(last, after + STRETCH), min(limit, AT_ONCE)
    (condition, values), _ = translate(query.node, Sql(query.searchable))
    sql = " ".join((
        "SELECT", table.number, ", CAST(doc AS BLOB) FROM", table.name,
        "WHERE", table.number, "> ? AND", table.number, "<= ? AND", table.only, "AND", condition,
        "ORDER BY", table.number, "LIMIT ?",
    ))  # fmt: skip
    found, size, reached = [], 0, after
    rows = reader.rows(sql, after, upto, *values, limit)
    for number, doc in rows:
        document = reader.decoded(table.decode, (doc,))
        reached, size = int(number), size + len(doc)
        if matches(query, document):
            found.append((reached, document))
        if size > MAX_BYTES:
            return Followed(tuple(found), reached, last)
    return Followed(tuple(found), reached if len(rows) == limit else upto, last)

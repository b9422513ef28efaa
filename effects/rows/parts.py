"""Parts: the rows of a file, some at a time, read in a thread while the part before is being stored."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

from engine.ports.rows import BadRow, Row, UnreadableFile

MAX_ROWS: Final = 500
MAX_BYTES: Final = 4 << 20  # of the rows' texts

Rows = Iterator[Row | BadRow]


async def parts_of(rows: Rows, skip: int = 0) -> AsyncIterator[list[Row | BadRow]]:
    """Yield the rows behind the first `skip`, in parts. Raises `UnreadableFile` behind the last good part."""
    reading = asyncio.create_task(asyncio.to_thread(_next_part, rows, skip))
    try:
        while True:
            part, failure = await reading
            if part and failure is None:
                reading = asyncio.create_task(asyncio.to_thread(_next_part, rows, skip))
            if part:
                yield part
            if failure is not None:
                raise failure
            if not part:
                return
    finally:
        reading.cancel()


def _next_part(rows: Rows, skip: int) -> tuple[list[Row | BadRow], UnreadableFile | None]:
    """Return the next part, and why nothing can be read behind it."""
    part: list[Row | BadRow] = []
    size = 0
    try:
        for row in rows:
            if row.number <= skip:
                continue
            part.append(row)
            size += len(row.raw)
            if len(part) >= MAX_ROWS or size >= MAX_BYTES:
                break
    except UnreadableFile as unreadable:
        return part, unreadable
    return part, None

"""Scrubbing: zeros over what the pages of a file hold beside their cells.

SQLite overwrites what is deleted, but not where a cell was before it moved to another page as a tree was balanced: in
the space between a page's list of cells and its cells a copy may be left. Nothing reads that space, so a page is right
before, after and while zeros are written there. (See "B-tree Pages" in SQLite's description of its file format.)
"""

import os
from typing import Final

READ_BYTES: Final = 4 * 1024 * 1024  # bytes that are read at a time
FILE_HEADER: Final = 100  # bytes before the first page's own header
HEADER: Final = {2: 12, 5: 12, 10: 8, 13: 8}  # bytes of a page's header, by the kind of page that it begins with
# A page of another kind begins with a page's number of four bytes: as long as there are fewer, that is no such kind.
MAX_PAGES: Final = min(HEADER) << 24


def may_be_scrubbed(file: int) -> bool:
    """Whether pages can be told apart; not so in files of more than a hundred gigabytes."""
    return os.fstat(file).st_size // _page_size(file) < MAX_PAGES


def scrub_pages(file: int) -> int:
    """Scrub the file of a descriptor; gives how many pages held something.

    Nobody may write to it meanwhile, and nothing may be left in its write-ahead log. What a connection remembers of
    pages is old then: if it writes one of them, what was there comes back. Raises `OSError`.
    """
    page, size, held = _page_size(file), os.fstat(file).st_size, 0
    for start in range(0, size, READ_BYTES):
        pages = os.pread(file, READ_BYTES, start)
        for at in range(0, len(pages), page):
            free = _free(pages, at, FILE_HEADER if start + at == 0 else 0, page)
            if free and pages.count(b"\0", free.start, free.stop) < len(free):
                os.pwrite(file, bytes(len(free)), start + free.start)
                held += 1
    if held:
        os.fsync(file)
    return held


def _page_size(file: int) -> int:
    size = int.from_bytes(os.pread(file, 2, 16))
    return 65_536 if size == 1 else size


def _free(pages: bytes, at: int, skipped: int, size: int) -> range:
    """Where nothing is, in the page at `at`."""
    header = at + skipped
    length = HEADER.get(pages[header])
    if length is None:
        return range(0)
    cells = int.from_bytes(pages[header + 3 : header + 5])
    content = int.from_bytes(pages[header + 5 : header + 7]) or 65_536
    return range(header + length + 2 * cells, at + content) if content <= size else range(0)

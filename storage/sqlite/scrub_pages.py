"""Scrubbing: overwrite the unused space in the pages of a file with zeros.

SQLite overwrites deleted cells, but not the old copy of a cell that moved to another page when a tree was balanced: it
may remain in the space between a page's list of cells and its cells. SQLite never reads that space, so a page is valid
before, after and while zeros are written there. (See "B-tree Pages" in SQLite's description of its file format.)
"""

import os
from typing import Final

READ_BYTES: Final = 4 * 1024 * 1024  # bytes that are read at a time
FILE_HEADER: Final = 100  # bytes before the first page's own header
HEADER: Final = {2: 12, 5: 12, 10: 8, 13: 8}  # bytes of a B-tree page's header, by the page's first byte
# Other pages start with a page number of four bytes. With fewer pages than this, its first byte is none of these kinds.
MAX_PAGES: Final = min(HEADER) << 24


def may_be_scrubbed(file: int) -> bool:
    """Whether B-tree pages can be recognized: not in files of more than a hundred gigabytes."""
    return os.fstat(file).st_size // _page_size(file) < MAX_PAGES


def scrub_pages(file: int) -> int:
    """Scrub the file of a descriptor. Returns how many pages had something to overwrite. Raises `OSError`.

    No connection may write to it meanwhile, and its write-ahead log must be empty. The page caches of open connections
    are outdated afterwards: a connection that writes a cached page writes the old remains again.
    """
    page, size, scrubbed = _page_size(file), os.fstat(file).st_size, 0
    for start in range(0, size, READ_BYTES):
        pages = os.pread(file, READ_BYTES, start)
        for at in range(0, len(pages), page):
            free = _free(pages, at, FILE_HEADER if start + at == 0 else 0, page)
            if free and pages.count(b"\0", free.start, free.stop) < len(free):
                os.pwrite(file, bytes(len(free)), start + free.start)
                scrubbed += 1
    if scrubbed:
        os.fsync(file)
    return scrubbed


def _page_size(file: int) -> int:
    size = int.from_bytes(os.pread(file, 2, 16))
    return 65_536 if size == 1 else size


def _free(pages: bytes, at: int, skipped: int, size: int) -> range:
    """The unused range of the page at `at`."""
    header = at + skipped
    length = HEADER.get(pages[header])
    if length is None:
        return range(0)
    cells = int.from_bytes(pages[header + 3 : header + 5])
    content = int.from_bytes(pages[header + 5 : header + 7]) or 65_536
    return range(header + length + 2 * cells, at + content) if content <= size else range(0)

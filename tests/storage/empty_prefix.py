"""A prefix on an Elasticsearch server for one test after another: its indices are created once, and emptied after each.

Creating the indices of a store takes a second, in which the server does little else.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.storage.elasticsearch_requests import asked

VERSIONED = ("-sessions", "-cache")  # what their documents count as versions outlives them by a minute
_PREFIXES: dict[str, str] = {}  # by server


@asynccontextmanager
async def empty_prefix(server: str) -> AsyncIterator[str]:
    """The prefix of a store that holds nothing."""
    prefix = _PREFIXES.setdefault(server, f"t{uuid.uuid4().hex[:12]}")
    try:
        yield prefix
    finally:
        while held := await _held(server, prefix):
            again = {index for index, _ in held if index.endswith(VERSIONED)}
            if again:
                await asked(server, "DELETE", f"/{','.join(sorted(again))}")
            gone = [{"delete": {"_index": index, "_id": id}} for index, id in held if index not in again]
            await asked(server, "POST", "/_bulk", *gone)


async def _held(server: str, prefix: str) -> list[tuple[str, str]]:
    """The indices and ids of documents."""
    await asked(server, "POST", f"/{prefix}-*/_refresh")
    found = await asked(server, "GET", f"/{prefix}-*/_search?size=10000&_source=false")
    return [(hit["_index"], hit["_id"]) for hit in found["hits"]["hits"]]

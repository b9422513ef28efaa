"""Expunging: removes deleted documents from the files, too.

A deleted document, or the version before, stays in its segment until that is merged; and a merge keeps operations
that another copy of the shard might still ask for. The shard's retention leases, which the servers renew every half
minute, say how far back that is. So `expunge` waits until no lease reaches back to the operations that there were at
its start, and then has the segments with deleted documents rewritten.
"""

import asyncio

from msgspec import Struct, field, json

from engine.ports.store import Unavailable
from storage.elasticsearch.search import Search

LEASE_SECONDS = 120.0
PAUSE_SECONDS = 1.0
MERGE_SECONDS = 3600.0

Shard = tuple[str, str]  # index and number


class _Lease(Struct, frozen=True):
    retaining_seq_no: int


class _Leases(Struct, frozen=True):
    leases: list[_Lease] = field(default_factory=list)


class _Numbers(Struct, frozen=True):
    max_seq_no: int


class _Copy(Struct, frozen=True):
    seq_no: _Numbers
    retention_leases: _Leases = field(default_factory=_Leases)


class _Index(Struct, frozen=True):
    shards: dict[str, list[_Copy]]


class _Stats(Struct, frozen=True):
    indices: dict[str, _Index] = field(default_factory=dict)


_stats = json.Decoder(_Stats).decode


async def expunge(search: Search, name: str) -> None:
    """Remove all documents from the files that have been deleted until now. Raises `Unavailable`.

    It waits for up to two minutes; after that it takes as long as the rewriting of segments.
    """
    await search.ask("POST", f"/{name}/_flush")
    last = {
        shard: max(copy.seq_no.max_seq_no for copy in copies) for shard, copies in (await _shards(search, name)).items()
    }
    for _ in range(round(LEASE_SECONDS / PAUSE_SECONDS)):
        held = [shard for shard, since in (await _since(search, name)).items() if since <= last.get(shard, -1)]
        if not held:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    else:
        raise Unavailable(f"Elasticsearch keeps the history of {held[0][0]} for a copy of it that may be away")
    await search.ask("POST", f"/{name}/_forcemerge?only_expunge_deletes=true", seconds=MERGE_SECONDS)
    await search.ask("POST", f"/{name}/_flush")


async def _since(search: Search, name: str) -> dict[Shard, int]:
    """From which operation on the history of each shard is kept."""
    found = {}
    for shard, copies in (await _shards(search, name)).items():
        kept = [lease.retaining_seq_no for copy in copies for lease in copy.retention_leases.leases]
        if kept:
            found[shard] = min(kept)
    return found


async def _shards(search: Search, name: str) -> dict[Shard, list[_Copy]]:
    path = f"/{name}/_stats/docs?level=shards&filter_path=indices.*.shards.*.seq_no,indices.*.shards.*.retention_leases"
    answer = await search.ask("GET", path)
    indices = _stats(answer.body).indices
    return {(index, number): copies for index, answer in indices.items() for number, copies in answer.shards.items()}

"""The indices of one test on an Elasticsearch server: the stores that open them, and their raw documents."""

import uuid
from collections.abc import Sequence
from typing import Any

from engine.ports.kind import AnyKind
from engine.ports.kinds import KINDS
from storage.elasticsearch.store import ElasticsearchStore
from tests.storage.elasticsearch_requests import asked, dropped


class Indices:
    """The indices of a prefix that only one test uses, and the stores that it opened on them."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.prefix = f"t{uuid.uuid4().hex[:12]}"
        self.stores: list[ElasticsearchStore] = []

    def store(self, kinds: Sequence[AnyKind] = KINDS) -> ElasticsearchStore:
        """Another process's store."""
        self.stores.append(ElasticsearchStore.open(f"{self.server}?prefix={self.prefix}", kinds))
        return self.stores[-1]

    async def source(self, kind: str, field: str, value: str) -> dict[str, Any]:
        """A document, by the value of a field."""
        await asked(self.server, "POST", f"/{self.prefix}-{kind}/_refresh")
        query = {"query": {"term": {field: value}}}
        found = await asked(self.server, "GET", f"/{self.prefix}-{kind}/_search", query)
        (hit,) = found["hits"]["hits"]
        return dict(hit["_source"])

    async def about(self, *texts: str) -> list[str]:
        """The documents in which any of these texts is, as their indices and sources; none of it is searched.

        The store's secret is left out: it is random, and may have three given letters.
        """
        await asked(self.server, "POST", f"/{self.prefix}-*/_refresh")
        found = await asked(self.server, "GET", f"/{self.prefix}-*/_search?size=1000")
        return [
            f"{hit['_index']} {hit['_source']}"
            for hit in found["hits"]["hits"]
            if hit["_source"].get("kind") != "secret" and any(t in str(hit) for t in texts)
        ]

    async def close(self) -> None:
        """Close the stores and delete the indices."""
        for store in self.stores:
            await store.close()
        await dropped(self.server, self.prefix)

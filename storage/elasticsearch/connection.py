"""The connection to the servers: bytes out, bytes in. It neither retries nor interprets an answer's status."""

import asyncio
from io import BytesIO
from typing import Any

from elastic_transport import Serializer, TransportError
from elasticsearch import AsyncElasticsearch
from msgspec import Struct

from storage.elasticsearch.address import Address

JSON = "application/json"
LINES = "application/x-ndjson"
LARGE = 1024 * 1024
SECONDS = 15.0  # until a request counts as lost; more than the server waits for a shard
QUIET_SECONDS = 1.0  # without an answer, until the server is asked whether it is there
AWAY_SECONDS = 0.5  # after a caller gave up, until others wait again: those behind it must not wait one after another
ALIVE_SECONDS = 0.8  # for it to answer that; both together are less than the two seconds that senders wait for a store


class Lost(Exception):
    """No answer came: the server may or may not have done what the request asked."""


class Silent(Lost):
    """The servers answer nothing at all, not even whether they are there."""


class Answer(Struct, frozen=True):
    """The answer of a server."""

    status: int
    body: bytes

    @property
    def good(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300


class _Bytes(Serializer):
    """Passes bodies through: callers encode them, and decode them to the types that they expect."""

    def __init__(self, mimetype: str) -> None:
        self.mimetype = mimetype  # type: ignore[misc]

    def loads(self, data: bytes) -> bytes:
        return data

    def dumps(self, data: Any) -> Any:
        return data if len(data) < LARGE else _Large(data)


class _Large(BytesIO):
    """A body that aiohttp sends in pieces: of large ones in one piece it warns."""

    def decode(self, *_: str) -> str:
        """The text that the transport logs in place of the body."""
        return f"({self.getbuffer().nbytes} bytes)"


class Connection:
    """Speaks to the servers of an address by the client library's transport, which knows nodes that are away."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._away_until = 0.0  # loop time
        self._client = AsyncElasticsearch(
            list(address.servers),
            basic_auth=address.user,
            request_timeout=SECONDS,
            max_dead_node_backoff=5.0,
            serializers={kind: _Bytes(kind) for kind in (JSON, LINES, "text/plain", "text/html")},
        )

    async def request(
        self, method: str, path: str, body: bytes | None = None, kind: str = JSON, seconds: float | None = None
    ) -> Answer:
        """The answer of the server, whatever its status, within the usual time or some `seconds`. Raises `Lost`."""
        headers = {"accept": JSON}
        if body is not None:
            headers["content-type"] = kind
        transport = self._client.transport
        try:
            found = await transport.perform_request(
                method, path, body=body, headers=headers, max_retries=0, request_timeout=seconds or SECONDS
            )
        except (TimeoutError, TransportError, OSError) as error:
            why = error.message if isinstance(error, TransportError) else error
            raise Lost(f"Elasticsearch at {', '.join(self.address.servers)}: {why}") from error
        self._away_until = 0.0
        return Answer(found.meta.status, found.body or b"")

    async def attended(self, method: str, path: str, body: bytes, kind: str = JSON) -> Answer:
        """As `request`, for callers that senders wait for: a slow server is waited for, a silent one is not.

        Raises `Lost`, and `Silent` when the servers have not answered anything for about two seconds.
        """
        if asyncio.get_running_loop().time() < self._away_until:
            raise Silent(f"Elasticsearch at {', '.join(self.address.servers)} does not answer")
        request = asyncio.create_task(self.request(method, path, body, kind))
        try:
            while not (await asyncio.wait([request], timeout=QUIET_SECONDS))[0]:
                await self._require_alive()
            return request.result()
        finally:
            request.cancel()

    async def _require_alive(self) -> None:
        try:
            await self.request("GET", "/", seconds=ALIVE_SECONDS)
        except Lost as lost:
            self.give_up()
            raise Silent(f"Elasticsearch at {', '.join(self.address.servers)} does not answer") from lost

    def give_up(self) -> None:
        """Let `attended` fail at once for `AWAY_SECONDS`, or until a server answers."""
        self._away_until = asyncio.get_running_loop().time() + AWAY_SECONDS

    def try_again(self) -> None:
        """Let `attended` ask the servers, although a caller gave up a moment ago."""
        self._away_until = 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

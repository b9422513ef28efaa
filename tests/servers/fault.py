"""The faults that can happen to a request between a client and its server."""

import abc
import asyncio
import fnmatch
import json
import random
from typing import ClassVar

import msgspec

from tests.servers.bulk import Item, items, request_of, spliced
from tests.servers.exchange import Exchange
from tests.servers.message import Message

_REASONS = {200: "OK", 403: "Forbidden", 429: "Too Many Requests", 503: "Service Unavailable"}


class Fault(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Something that happens to one request; its name and fields are what the proxy's log shows."""

    @abc.abstractmethod
    async def act(self, exchange: Exchange) -> None:
        """Do it."""


class Pass(Fault, frozen=True):
    """Nothing: the server answers."""

    async def act(self, exchange: Exchange) -> None:
        await exchange.reply(await exchange.forward())


class Delay(Fault, frozen=True):
    """The request reaches the server late."""

    seconds: float

    async def act(self, exchange: Exchange) -> None:
        await asyncio.sleep(self.seconds)
        await exchange.reply(await exchange.forward())


class Answer(Fault, frozen=True):
    """An answer of this status in the server's place; the server learns nothing."""

    status: int = 503
    retry_after: int | None = None
    """Seconds that the client is asked to wait."""

    async def act(self, exchange: Exchange) -> None:
        kind = "es_rejected_execution_exception" if self.status == 429 else "exception"
        error: dict[str, object] = {"type": kind, "reason": "refused"}
        await exchange.reply(_refusal(self.status, error, exchange.method, self.retry_after))


class Reset(Fault, frozen=True):
    """The connection breaks before the server has seen the request."""

    async def act(self, exchange: Exchange) -> None:
        exchange.reset()


class Loss(Fault, frozen=True):
    """The server does the request, but the connection breaks before its answer: was it done or not?"""

    async def act(self, exchange: Exchange) -> None:
        await exchange.forward()
        exchange.reset()


class Cut(Fault, frozen=True):
    """The server does the request, but its answer ends early."""

    share: float = 0.5
    """How much of the answer's body comes."""

    async def act(self, exchange: Exchange) -> None:
        await exchange.cut(await exchange.forward(), self.share)


class Hang(Fault, frozen=True):
    """No answer, for as long as the client waits; the server learns nothing."""

    async def act(self, exchange: Exchange) -> None:
        await exchange.hold()


class Rejection(Fault, frozen=True):
    """The server has no room for items of a bulk request and does the others; another request is refused whole.

    The refused items do not reach the server.
    """

    share: float = 1
    """The chance of each item to be refused."""
    items: tuple[int, ...] | None = None
    """The places of the items that may be refused; None stands for all."""
    index: str = "*"
    """The indices whose items may be refused."""

    status: ClassVar[int] = 429

    def error(self, index: str) -> dict[str, object]:
        """The error that the server would return for an item."""
        reason = "rejected execution of primary operation [coordinating_and_primary_bytes=0, max=0]"
        return {"type": "es_rejected_execution_exception", "reason": reason}

    async def act(self, exchange: Exchange) -> None:
        request, (first, *_) = exchange.request, exchange.path.lstrip("/").split("/")
        if not exchange.path.endswith("/_bulk"):
            await exchange.reply(_refusal(self.status, self.error(first), exchange.method))
            return
        all_items = items(request, first)
        refused = {
            place: item.result(self.status, self.error(item.index))
            for place, item in enumerate(all_items)
            if self._hits(place, item, exchange.random)
        }
        kept = [item for place, item in enumerate(all_items) if place not in refused]
        answer = await exchange.forward(request_of(request, kept)) if kept else _NOTHING_DONE
        exchange.items = tuple(refused)
        await exchange.reply(spliced(answer, refused))

    def _hits(self, place: int, item: Item, chance: random.Random) -> bool:
        drawn = chance.random() < self.share  # drawn for every item, so that the others do not shift
        return drawn and (self.items is None or place in self.items) and fnmatch.fnmatchcase(item.index, self.index)


class Block(Rejection, frozen=True):
    """An index is read-only: its items of a bulk request are refused; another request is refused whole."""

    status: ClassVar[int] = 403

    def error(self, index: str) -> dict[str, object]:
        reason = f"index [{index}] blocked by: [FORBIDDEN/8/index write (api)];"
        return {"type": "cluster_block_exception", "reason": reason}


def _refusal(status: int, error: dict[str, object], method: str = "GET", retry_after: int | None = None) -> Message:
    document = {"error": {"root_cause": [error], **error}, "status": status}
    answer = _answer(status, document, method)
    if retry_after is None:
        return answer
    return msgspec.structs.replace(answer, headers=(*answer.headers, ("Retry-After", str(retry_after))))


def _answer(status: int, document: object, method: str = "GET") -> Message:
    headers = (("X-elastic-product", "Elasticsearch"), ("content-type", "application/json"))
    start = f"HTTP/1.1 {status} {_REASONS.get(status, 'Refused')}"
    if method == "HEAD":
        return Message(start, headers, bodiless=True)
    return Message(start, headers, json.dumps(document).encode())


_NOTHING_DONE = _answer(200, {"took": 0, "errors": False, "items": []})

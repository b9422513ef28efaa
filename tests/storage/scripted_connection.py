"""A connection to Elasticsearch that answers what the test says."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import json

from storage.elasticsearch.connection import Answer, Lost

Reply = Answer | Lost | Callable[[list[dict[str, Any]]], Answer]


class Scripted:
    """A connection whose answers are given beforehand; after them it accepts everything."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.sent: list[list[dict[str, Any]]] = []
        self.bodies: list[bytes] = []
        self.running = self.most = 0
        self.asked = asyncio.Event()

    def next(self, reply: Reply) -> None:
        """Say the answer after those that are left."""
        self._replies.append(reply)

    async def request(self, method: str, path: str, body: bytes | None = None, *more: str) -> Answer:
        """As a connection's."""
        assert body
        self.asked.set()
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.running -= 1
        self.bodies.append(body)
        wanted = json.decode(body)["docs"] if path.startswith("/_mget") else _lines(body)
        self.sent.append(wanted)
        reply = self._replies.pop(0) if self._replies else accepted
        if isinstance(reply, Lost):
            raise reply
        return reply if isinstance(reply, Answer) else reply(wanted)

    async def attended(self, method: str, path: str, body: bytes, *more: str) -> Answer:
        """As a connection's."""
        return await self.request(method, path, body, *more)

    def give_up(self) -> None:
        """As a connection's; this one does not remember it."""


def _lines(body: bytes) -> list[dict[str, Any]]:
    lines = iter([json.decode(line) for line in body.splitlines()])
    return [{**line, "source": None if "delete" in line else next(lines)} for line in lines]


def items(*results: dict[str, Any]) -> Answer:
    return Answer(200, json.encode({"items": [{"index": item} for item in results]}))


def accepted(wanted: Sequence[dict[str, Any]]) -> Answer:
    return items(*[{"status": 201, "_seq_no": n, "_primary_term": 1} for n in range(len(wanted))])

"""The reference for Elasticsearch: a hand-written coalescing `_bulk` writer behind a bare ASGI handler.

    python -m benchmarks.bulk_writer http://127.0.0.1:9200 PREFIX

It reads the event, keeps the profile in memory, and writes the same documents as Headrace: the profile with its exact
record and its searchable fields, and the event. It sends all waiting documents in one request, one request at a time,
and answers after the server has. No flows, no compare-and-set, no deduplication; nothing survives a crash.
"""

import asyncio
import socket
import sys
import time
from contextlib import suppress
from typing import Any

import aiohttp
import msgspec
import uvicorn

from benchmarks.bare import BODY, HEADERS
from engine.ports.kinds import EVENTS
from storage.elasticsearch.names import Names
from storage.elasticsearch.periods import month

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


class BulkWriter:
    """Sends all waiting documents in one request, one request at a time."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/_bulk?filter_path=errors"
        self.lines: list[bytes] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.task: asyncio.Task[None] | None = None
        self.session: aiohttp.ClientSession | None = None

    async def write(self, lines: list[bytes]) -> None:
        """Write documents; returns when the server has acknowledged them."""
        done = asyncio.get_running_loop().create_future()
        self.lines += lines
        self.waiting.append(done)
        if self.task is None:
            self.task = asyncio.create_task(self.work())
        await done

    async def work(self) -> None:
        """Send the waiting documents until there are none."""
        if self.session is None:
            self.session = aiohttp.ClientSession()
        while self.lines:
            lines, self.lines = self.lines, []
            waiting, self.waiting = self.waiting, []
            body = b"\n".join([*lines, b""])
            async with self.session.post(
                self.url, data=body, headers={"content-type": "application/x-ndjson"}
            ) as answer:
                assert decode(await answer.read()) == {"errors": False}
            for each in waiting:
                each.set_result(None)
        self.task = None


class App:
    """Reads an order, adds it to its profile, writes both."""

    def __init__(self, url: str, prefix: str) -> None:
        self.names = names = Names(prefix)
        self.events_index = names.of(EVENTS).name
        self.writer = BulkWriter(url)
        self.profiles: dict[str, dict[str, Any]] = {}
        self.events = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Read, write, answer."""
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        if scope["method"] == "POST":
            payload = decode((await receive())["body"])
            await self.writer.write(self.documents(payload))
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})

    def documents(self, payload: dict[str, Any]) -> list[bytes]:
        """The lines of a profile and an event."""
        now = time.time_ns() // 1_000_000
        session, event = payload["session"]["id"], payload["events"][0]
        properties = event["properties"]
        id = session.replace("-", "")
        profile = self.profiles.get(id)
        if profile is None:
            profile = self.profiles[id] = {"revenue": 0, "version": 0, "created": now}
        revenue = profile["revenue"] = profile["revenue"] + properties["total"]
        version = profile["version"] = profile["version"] + 1
        cells = {"traits.tier": properties["tier"], "traits.last_total": properties["total"], "segments.vip": True}
        part = {"id": id, "created": profile["created"], "base": now, "last": now, "cells": cells}
        counts = {"traits.revenue": [now, now, revenue]}
        record = {
            "id": id,
            "created": profile["created"],
            "version": version,
            "parts": {id: {**part, "counts": counts}},
        }
        document = {
            "id": id, "version": version, "doc": encode(record).decode(), "live": True, "ids": [id],
            "created": profile["created"], "updated": now, "segments": ["vip"],
            "traits": {"tier": properties["tier"], "last_total": properties["total"], "revenue": revenue},
        }  # fmt: skip
        self.events += 1
        name = f"{now:x}{self.events:010x}"
        stored = {
            "id": name, "type": event["type"], "source": payload["source"]["id"], "received": now, "session": session,
            "profile": id, "properties": properties, "context": payload["context"],
        }  # fmt: skip
        searched = {**stored, "stamp": now * 1000, "nth": 0, "origin": "client", "doc": encode(stored).decode()}
        return [
            b'{"index":{"_index":"%b","_id":"%b"}}' % (self.names.profiles.encode(), id.encode()),
            encode(document),
            b'{"create":{"_index":"%b","_id":"%b"}}' % (f"{self.events_index}-{month(now)}".encode(), name.encode()),
            encode(searched),
        ]


if __name__ == "__main__":
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", file=sys.stderr, flush=True)
        config = uvicorn.Config(
            App(sys.argv[1], sys.argv[2]),
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])

"""`headrace tap`: traces runs of a running server fully for some minutes, and prints them as they are stored."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct
from rich.console import Console

from cli.call import RemoteServer, request_json
from cli.location import DataLocation
from cli.store import CommandError, report_error
from cli.traces import event_block
from engine.ports.bounded import BoundedCache

AGAIN_SECONDS: Final = 1.0  # after a connection has ended
QUIET_SECONDS: Final = 60.0  # a server sends something every fifteen
KNOWN: Final = 20_000  # runs that are not printed again


class Wanted(Struct, frozen=True, omit_defaults=True):
    """The runs to trace: all that is named must fit."""

    minutes: int
    flow: str = ""
    profile: str = ""
    session: str = ""
    type: str = ""

    @property
    def query(self) -> str:
        """The query that finds them."""
        names = ("flow", "profile", "session", "type")
        return " ".join(f"{name}:{_quoted(value)}" for name in names if (value := getattr(self, name)))


class Tap(Struct):
    """One use of the command: where it came to, and what it has printed."""

    server: RemoteServer
    wanted: Wanted
    out: Console
    json: bool
    place: str | None = None
    printed: int = 0


def tap(wanted: Wanted, location: DataLocation, out: Console, error: Console, *, json: bool) -> int:
    """Trace and print until the time is over, or until Ctrl-C. Returns the exit code: 2 if the server refuses it."""
    try:
        server = location.server()
        assert server is not None  # noqa: S101  # the option has a default
        using = Tap(server, wanted, out, json)
        with suppress(KeyboardInterrupt):
            asyncio.run(_tap(using, error))
    except CommandError as failure:
        return report_error(error, str(failure))
    error.print(f"{using.printed} runs were traced; tracing is off.", highlight=False)
    return 0


async def _tap(using: Tap, error: Console) -> None:
    async with aiohttp.ClientSession() as client:
        switch = await request_json(client, using.server, "POST", "/tracing", msgspec.to_builtins(using.wanted))
        error.print(
            f"Runs of {using.wanted.query} are traced for {using.wanted.minutes} minutes, on all workers within a few "
            "seconds. Ctrl-C ends it.",
            highlight=False,
            markup=False,
        )
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(60 * using.wanted.minutes):
                    await _follow(using, client)
        finally:
            with suppress(CommandError):  # it is over, or the server has gone: the switch ends by itself
                await request_json(client, using.server, "DELETE", f"/tracing/{switch['id']}", None)


async def _follow(using: Tap, client: aiohttp.ClientSession) -> None:
    """Print runs as they come; come again when the connection ends."""
    known: BoundedCache[bool] = BoundedCache(KNOWN)
    while True:
        try:
            async for message in _messages(using, client):
                using.place = message.get("id", using.place)
                if message.get("event") == "row":
                    row = msgspec.json.decode(message["data"])
                    if row["id"] not in known:
                        known.put(row["id"], True)
                        _print(using, row["record"])
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(AGAIN_SECONDS)


async def _messages(using: Tap, client: aiohttp.ClientSession) -> AsyncIterator[dict[str, str]]:
    """Yield the messages of one connection, each with its fields. Raises `CommandError` if it is refused."""
    headers = using.server.headers | {"Accept": "text/event-stream"}
    if using.place is not None:
        headers["Last-Event-ID"] = using.place
    address, query = f"{using.server.url.rstrip('/')}/live", {"kinds": "runs", "q": using.wanted.query}
    timeout = aiohttp.ClientTimeout(total=None, sock_read=QUIET_SECONDS)
    async with client.get(address, params=query, headers=headers, timeout=timeout) as answer:
        if 400 <= answer.status < 500:
            raise CommandError(f"{address} answered {answer.status}: {(await answer.text())[:200]}")
        fields: dict[str, str] = {}
        async for line in answer.content:
            text = line.decode().rstrip("\n")
            if not text:
                yield fields
                fields = {}
            else:
                name, _, value = text.partition(": ")
                fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value


def _print(using: Tap, run: dict[str, Any]) -> None:
    using.printed += 1
    if using.json:
        using.out.file.write(msgspec.json.encode(run).decode() + "\n")
        using.out.file.flush()
        return
    event = run["event"]  # of a trace: the event as the run has seen it
    id, type = (event["id"], event["type"]) if isinstance(event, dict) else (event, run.get("type", "?"))
    using.out.print(event_block(id, {"type": type, "disposition": run["outcome"], "runs": [run]}))


def _quoted(value: str) -> str:
    """Return a value as a phrase of a query."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

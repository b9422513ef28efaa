"""Runs a client in a process of its own."""

import asyncio
import json
import os
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec

from tests.clients.client import Client
from tests.clients.faulty_proxy import FaultyProxy
from tests.clients.installation import packages
from tests.servers.account import dying_with_us

PATIENCE = 60  # seconds for all that a client sends


class Place(msgspec.Struct, frozen=True):
    """Where clients run: `pages` is the origin of the pages, `home` a directory for a process's own files."""

    pages: str
    home: Path


async def drive(client: Client, proxy: FaultyProxy, place: Place, script: Mapping[str, Any], events: int) -> None:
    """Have a client send by the proxy, until it has delivered so many events."""
    whole = {"address": proxy.url, "batch": 5, "gzip": False, **client.options, **script}
    process = await asyncio.create_subprocess_exec(
        *dying_with_us(),
        *client.command(),
        *([f"{place.pages}/{client.page}"] if client.page else []),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(client, place.home),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_ended, process)
        try:
            async with asyncio.timeout(PATIENCE):
                said = await _talk(process, json.dumps(whole), proxy.settled(events) if client.page else None)
        except TimeoutError:
            raise AssertionError(f"not delivered: {proxy.sent - proxy.delivered}\n{proxy}") from None
        assert await process.wait() == 0, said


async def _talk(process: asyncio.subprocess.Process, script: str, settled: Coroutine[Any, Any, None] | None) -> str:
    """Give a driver its script, and wait until it ends: by itself, or where it cannot know when, by our word.

    A page ends when it says that it has made its calls, and the proxy that all is `settled`. Returns what it has said.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    saying = asyncio.create_task(process.stderr.read())
    process.stdin.write(f"{script}\n".encode())
    if settled is not None:
        waiting = asyncio.create_task(settled)
        try:
            if await process.stdout.readline():  # else it has ended
                await asyncio.wait([saying, waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
    process.stdin.close()
    return (await saying).decode(errors="replace")


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a process that is still there, as the test has been broken off."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _environment(client: Client, home: Path) -> dict[str, str]:
    """Only what a driver needs, so that no setting of this machine changes what a client does."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return kept if client.command()[0].endswith("python") else {**kept, "NODE_PATH": str(packages())}

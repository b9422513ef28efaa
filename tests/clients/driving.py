"""Runs a client in a process of its own."""

import asyncio
import json
import os
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from tests.clients.client import Client
from tests.clients.faulty_proxy import FaultyProxy
from tests.clients.installation import packages
from tests.clients.page_server import PageServer
from tests.servers.account import dying_with_us

PATIENCE = 60  # seconds for all that a client sends


async def drive(client: Client, proxy: FaultyProxy, home: Path, script: Mapping[str, Any], events: int) -> None:
    """Have a client send by the proxy, until it has delivered so many events. `home` is a directory for its files."""
    told = {"address": proxy.url, "batch": 5, "gzip": False, **client.options, **script}
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
        command = client.command()
        if client.page:
            pages = await stack.enter_async_context(PageServer(packages()))
            command.append(pages.address(client.page))
        process = await asyncio.create_subprocess_exec(
            *dying_with_us(),
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(client, home),
        )
        try:
            await _talk(process, json.dumps(told), proxy.settled(events) if client.page else None)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _talk(process: asyncio.subprocess.Process, script: str, settled: Coroutine[Any, Any, None] | None) -> None:
    """Give a driver its script, and wait until it ends: by itself, or where it cannot know when, by our word."""
    assert process.stdin is not None
    assert process.stderr is not None
    saying = asyncio.create_task(process.stderr.read())
    process.stdin.write(f"{script}\n".encode())
    if settled is not None:
        waiting = asyncio.create_task(settled)
        try:
            await asyncio.wait([saying, waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
    process.stdin.close()
    said = (await saying).decode(errors="replace")
    assert await process.wait() == 0, said


def _environment(client: Client, home: Path) -> dict[str, str]:
    """Only what a driver needs, so that no setting of this machine changes what a client does."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return kept if client.command()[0].endswith("python") else {**kept, "NODE_PATH": str(packages())}

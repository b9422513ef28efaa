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
    async with AsyncExitStack() as stack:
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
        stack.push_async_callback(_ended, process)
        settled = proxy.settled(events) if client.page else None
        said, in_time = await _talk(process, json.dumps(told), settled)
        assert in_time, f"{said}\nnot delivered: {proxy.sent - proxy.delivered}\n{proxy}"
        assert process.returncode == 0, said


async def _talk(
    process: asyncio.subprocess.Process, script: str, settled: Coroutine[Any, Any, None] | None
) -> tuple[str, bool]:
    """Give a driver its script, and wait until it ends: by itself, or where it cannot know when, by our word.

    Returns what it has said, and whether it has ended in time.
    """
    assert process.stdin is not None
    assert process.stderr is not None
    saying = asyncio.create_task(process.stderr.read())
    process.stdin.write(f"{script}\n".encode())
    waits = [saying] if settled is None else [saying, asyncio.create_task(settled)]
    done, _ = await asyncio.wait(waits, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits[1:]:
        wait.cancel()
    process.stdin.close()
    if not done:
        process.kill()
    said = (await saying).decode(errors="replace")
    await process.wait()
    return said, bool(done)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a process that is still there, as the test has been broken off."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _environment(client: Client, home: Path) -> dict[str, str]:
    """Only what a driver needs, so that no setting of this machine changes what a client does."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return kept if client.command()[0].endswith("python") else {**kept, "NODE_PATH": str(packages())}

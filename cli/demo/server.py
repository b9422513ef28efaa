"""A `headrace serve` of our own, as a child process: begun, waited for, and stopped whatever happens."""

import asyncio
import os
import re
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

BEGIN_SECONDS = 30
STOP_SECONDS = 15

_ADDRESS = re.compile(r" on (http://\S+)")


class ServerFailed(Exception):
    """Something that had to work did not; the message says what, in the words of who knows."""


@asynccontextmanager
async def serving(project: Path, database: Path) -> AsyncIterator[str]:
    """Serve `project` on a free port; yield the address. Raises `ServerFailed` if it does not start or stop.

    The child has a session of its own, so that Ctrl-C reaches the parent alone, which then stops it.
    """
    command = (_headrace(), "serve", str(project), "--port", "0", "--store", f"sqlite:{database}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, "COLUMNS": "200", "NO_COLOR": "1"},
        start_new_session=True,
    )
    said: deque[str] = deque(maxlen=50)
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read(process, said, listening))
    try:
        yield await _ready(listening, said)
    finally:
        await _stop(process)
        await reading
    if process.returncode != 0:
        raise ServerFailed(f"the server ended with code {process.returncode}\n" + "".join(said))


def _headrace() -> str:
    """The console script that belongs to this Python."""
    beside = Path(sys.executable).with_name("headrace")
    found = str(beside) if beside.exists() else shutil.which("headrace")
    if found is None:
        raise ServerFailed("the command `headrace` is not installed beside this Python")
    return found


async def _read(process: asyncio.subprocess.Process, said: deque[str], listening: asyncio.Future[str]) -> None:
    """Keep what the server says, and find its address there."""
    assert process.stderr is not None  # noqa: S101
    async for raw in process.stderr:
        line = raw.decode(errors="replace")
        said.append(line)
        found = _ADDRESS.search(line)
        if found and not listening.done():
            listening.set_result(found[1])
    if not listening.done():
        listening.set_result("")


async def _ready(listening: asyncio.Future[str], said: deque[str]) -> str:
    """The address, once events can be taken there."""
    with suppress(TimeoutError):
        async with asyncio.timeout(BEGIN_SECONDS):
            if not (address := await listening):
                raise ServerFailed("the server did not begin\n" + "".join(said))
            async with aiohttp.ClientSession(address) as client:
                for _ in range(BEGIN_SECONDS * 20):
                    if await _answers(client):
                        return address
                    await asyncio.sleep(0.05)
    raise ServerFailed(f"the server took no events within {BEGIN_SECONDS} s\n" + "".join(said))


async def _answers(client: aiohttp.ClientSession) -> bool:
    try:
        async with client.get("/health/ready") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to stop, as Ctrl-C would; end it when it does not."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

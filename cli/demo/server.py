"""A `headrace serve` in a child process: started, awaited, and stopped whatever happens."""

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

START_SECONDS = 30
STOP_SECONDS = 15

_ADDRESS = re.compile(r" on (http://\S+)")


class ServerFailed(Exception):
    """The server, or a request to it, failed. The message has the server's last output or its answer."""


@asynccontextmanager
async def serving(project: Path, database: Path) -> AsyncIterator[str]:
    """Serve `project` on a free port; yields the address. Raises `ServerFailed` if the server does not start or stop.

    The child process has a session of its own, so that Ctrl-C reaches the parent alone, which then stops the child.
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
    output: deque[str] = deque(maxlen=50)  # the last lines
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read(process, output, listening))
    try:
        yield await _ready(listening, output)
    finally:
        await _stop(process)
        await reading
    if process.returncode != 0:
        raise ServerFailed(f"the server ended with code {process.returncode}\n" + "".join(output))


def _headrace() -> str:
    """The console script that belongs to this Python."""
    beside = Path(sys.executable).with_name("headrace")
    script = str(beside) if beside.exists() else shutil.which("headrace")
    if script is None:
        raise ServerFailed("the command `headrace` is not installed beside this Python")
    return script


async def _read(process: asyncio.subprocess.Process, output: deque[str], listening: asyncio.Future[str]) -> None:
    """Keep the server's output, and read its address there; an empty address when the server ends without one."""
    assert process.stderr is not None  # noqa: S101
    async for raw in process.stderr:
        line = raw.decode(errors="replace")
        output.append(line)
        address = _ADDRESS.search(line)
        if address and not listening.done():
            listening.set_result(address[1])
    if not listening.done():
        listening.set_result("")


async def _ready(listening: asyncio.Future[str], output: deque[str]) -> str:
    """The address, once the server answers that it is ready. Raises `ServerFailed`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            if not (address := await listening):
                raise ServerFailed("the server did not start\n" + "".join(output))
            async with aiohttp.ClientSession(address) as client:
                for _ in range(START_SECONDS * 20):
                    if await _is_ready(client):
                        return address
                    await asyncio.sleep(0.05)
    raise ServerFailed(f"the server was not ready within {START_SECONDS} s\n" + "".join(output))


async def _is_ready(client: aiohttp.ClientSession) -> bool:
    try:
        async with client.get("/health/ready") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask the process to stop, as Ctrl-C would; kill it when it does not."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

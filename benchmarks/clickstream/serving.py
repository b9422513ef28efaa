"""Starts a Headrace server on a free port, and stops it afterwards."""

import asyncio
import re
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

PROJECT = Path(__file__).with_name("project")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_PATIENCE = 30.0  # seconds to start, and to stop


class Server:
    """`headrace serve` as a child process; `url` is its address."""

    def __init__(self, store: str) -> None:
        self.url = ""
        self._store = store
        self._output: deque[str] = deque(maxlen=40)
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        command = Path(sys.executable).with_name("headrace")
        self._process = await asyncio.create_subprocess_exec(
            command,
            *("serve", str(PROJECT), "--port", "0", "--store", self._store),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._listening = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(_PATIENCE):
                ready = await self._ready()
        except TimeoutError:
            ready = False
        if not ready:
            await self._stop()
            raise SystemExit("headrace serve did not start:\n" + "".join(self._output))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _ready(self) -> bool:
        """Wait until the server reports that it is ready; False if it exited before."""
        assert self._process is not None
        async with aiohttp.ClientSession() as session:
            while self._process.returncode is None:
                await asyncio.sleep(0.05)
                if not self.url:
                    continue
                with suppress(aiohttp.ClientConnectionError):
                    async with session.get(f"{self.url}/health/ready") as response:
                        if response.status == 200:
                            return True
        return False

    async def _listen(self) -> None:
        """Read all output of the server, so that its pipe never fills; its address is in one of the first lines."""
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode(errors="replace")
            self._output.append(text)
            if not self.url and (found := _ADDRESS.search(text)):
                self.url = found[0]

    async def _stop(self) -> None:
        assert self._process is not None
        assert self._listening is not None
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._listening

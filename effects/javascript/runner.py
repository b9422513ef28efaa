"""Runs scripts in JavaScript, each in a process of its own that is killed when a call takes too long.

A script process is in one of three states: **idle**, **calling** one function, or **gone**. It begins at the first call
of its script, and calls wait for one another. A call that ends, by a value or by an exception, leaves it idle. It is
killed, and so gone, when a call reaches its time limit, when its caller is cancelled, when it writes something that is
no message, and when it has been idle the longest and another script needs the room. The next call begins a new one.
A crash of it is the failure of the call under way, and of no other.

At most `MAX_PROCESSES` exist at a time, and at most `MAX_WAITING` calls of one script wait; others fail at once.
"""

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from effects.javascript.frames import BrokenFrame, frame_of, next_frame
from engine.ports.script import (
    ScriptBusy,
    ScriptFailed,
    ScriptLine,
    ScriptRequest,
    ScriptResult,
    ScriptsNotInstalled,
    ScriptTimedOut,
    ScriptWorld,
)
from engine.project.script import Script

MAX_PROCESSES: Final = 8
MAX_WAITING: Final = 32  # calls of one script
START_SECONDS: Final = 10  # a process needs a tenth of one
INSTALL: Final = "scripts need the extra js: run `pip install 'headrace[js]'`"
COMMAND: Final = (sys.executable, "-I", "-X", "utf8", "-m", "effects.javascript.child")


class JavaScriptRunner:
    """Runs scripts. `close` ends their processes."""

    def __init__(self, most_processes: int = MAX_PROCESSES) -> None:
        self._scripts: dict[tuple[str, str], _ScriptQueue] = {}  # the last used one is the last
        self._ending: set[asyncio.Task[None]] = set()  # of killed processes
        self._most = most_processes
        self._room = asyncio.Semaphore(most_processes)

    async def run(
        self, script: Script, function: str, arguments: Sequence[Any], world: ScriptWorld, limit_ms: int
    ) -> ScriptResult:
        """Call a function of a script with plain data. Raises `ScriptFailed`."""
        if importlib.util.find_spec("quickjs") is None:
            raise ScriptsNotInstalled(INSTALL)
        key = (script.file, script.text)
        queue = self._scripts.pop(key, None) or _ScriptQueue(self._ending)
        self._scripts[key] = queue
        if queue.waiting >= MAX_WAITING:
            raise ScriptBusy(f"{MAX_WAITING} calls of {script.file} are waiting already")
        queue.waiting += 1
        try:
            async with queue.lock, self._room:
                self._make_room(queue)
                call = _Call(script, function, arguments, world)
                return await call.run(queue, limit_ms)
        finally:
            queue.waiting -= 1

    async def close(self) -> None:
        """End all processes. Calls under way fail."""
        for queue in self._scripts.values():
            queue.kill()
        self._scripts.clear()
        while self._ending:
            await asyncio.wait(self._ending)

    def _make_room(self, wanted: "_ScriptQueue") -> None:
        """End idle processes, those first that have been idle the longest, until there is room for one more."""
        for key, queue in [*self._scripts.items()]:
            if len(self._scripts) <= self._most:
                return
            if queue is not wanted and not queue.waiting:
                queue.kill()
                del self._scripts[key]


class _ScriptQueue:
    """The calls of one script, and its process while it has one."""

    def __init__(self, ending: "set[asyncio.Task[None]]") -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0
        self._ending = ending
        self.process: asyncio.subprocess.Process | None = None

    async def started(self) -> asyncio.subprocess.Process:
        """Return the process; begins it if there is none."""
        if self.process is not None and self.process.returncode is None:
            return self.process
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(
            *COMMAND, str(os.getpid()), stdin=pipe, stdout=pipe, stderr=nothing, env={}, cwd="/", start_new_session=True
        )
        return self.process

    def kill(self) -> None:
        """Kill the process, if there is one; what is left of it is cleared up behind."""
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        ending = asyncio.create_task(_clear_up(process))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


async def _clear_up(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a killed process, and close the pipe to it."""
    await process.wait()
    if process.stdin is not None:
        process.stdin.close()
        with suppress(ConnectionError):
            await process.stdin.wait_closed()


class _Call:
    """One call, from its first message to its last."""

    def __init__(self, script: Script, function: str, arguments: Sequence[Any], world: ScriptWorld) -> None:
        self._script = script
        self._message = [script.text, function, list(arguments)]
        self._world = world
        self._log: list[ScriptLine] = []

    async def run(self, queue: _ScriptQueue, limit_ms: int) -> ScriptResult:
        """Return the result. Raises `ScriptFailed`; the process is then gone, unless the script itself has failed."""
        whole = False
        process: asyncio.subprocess.Process | None = None
        try:
            async with asyncio.timeout(START_SECONDS + limit_ms / 1000):
                process = await queue.started()
                async with asyncio.timeout(limit_ms / 1000):
                    result = await self._converse(process)
            whole = True
        except TimeoutError:
            raise ScriptTimedOut(f"{self._script.file} took longer than {limit_ms} ms", self._lines) from None
        except (BrokenFrame, ConnectionError) as broken:
            queue.kill()
            raise ScriptFailed(await self._why(process, broken), self._lines) from None
        finally:
            if not whole:
                queue.kill()
        if isinstance(result, str):
            raise ScriptFailed(f"{self._script.file}: {result}", self._lines)
        return result

    @property
    def _lines(self) -> tuple[ScriptLine, ...]:
        return tuple(self._log)

    async def _converse(self, process: asyncio.subprocess.Process) -> ScriptResult | str:
        """Send the call and answer what it asks, until it ends. Returns the reason of its failure as text."""
        writing, reading = process.stdin, process.stdout
        if writing is None or reading is None:
            raise BrokenFrame("there is no pipe")
        writing.write(frame_of(self._message))
        await writing.drain()
        while True:
            match await next_frame(reading):
                case ["log", str(level), str(text)]:
                    self._log.append(ScriptLine(level, text))
                case ["ask", *asked]:
                    writing.write(frame_of(await self._reply(asked)))
                    await writing.drain()
                case ["value", str(value)]:
                    return self._result(value)
                case ["failed", str(reason)]:
                    return reason
                case _:
                    raise BrokenFrame("an unknown message")

    def _result(self, value: str) -> ScriptResult | str:
        """Return a result as plain data, or the reason for which it cannot be used."""
        try:
            return ScriptResult(value=msgspec.json.decode(value), log=self._lines)
        except msgspec.DecodeError as error:  # JavaScript's texts may have half characters
            return f"the result is no JSON in UTF-8: {error}"

    async def _reply(self, asked: list[Any]) -> dict[str, Any]:
        """Return the reply to an ask: a value, or the reason for which there is none."""
        try:
            return {"value": await self._answer(asked)}
        except (ScriptFailed, msgspec.ValidationError) as failed:
            return {"failed": str(failed)}

    async def _answer(self, asked: list[Any]) -> Any:
        """Answer an ask. Raises `ScriptFailed` and `ValidationError`."""
        match asked:
            case ["http", request]:
                return await self._world.fetch(msgspec.convert(request, ScriptRequest))
            case ["state", str(name)]:
                return await self._world.state(name)
            case ["keep", str(name), value, bool(only_new)]:
                return await self._world.keep(name, value, only_new=only_new)
            case ["store", [*events]] if all(isinstance(event, dict) for event in events):
                return await self._world.store_events(events)
            case ["store", *_]:
                raise ScriptFailed("eventStore.store takes a list of objects {collection, properties}")
        raise BrokenFrame("an unknown ask")

    async def _why(self, process: asyncio.subprocess.Process | None, broken: Exception) -> str:
        """Return why the process has ended, or why it had to."""
        code = await process.wait() if process is not None else None
        if code == -signal.SIGXCPU:
            return f"{self._script.file} took too much processor time"
        return f"the process of {self._script.file} ended in the middle of a call ({broken}, code {code})"

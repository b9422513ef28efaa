"""The workers of a server: processes that share its address, and are restarted until the server is asked to stop.

Each is a new process (nothing is forked from a running event loop) in a session of its own, so that Ctrl-C reaches the
parent alone. A worker reads its configuration from the first line of its standard input, which stays open: its end
means that the parent died.

Each worker has a socket of its own, bound to the one address, and the kernel distributes the connections. (With one
socket for all, the quicker process accepts most of them: of 32 clients that connected at the same time, one of two
processes got 31.) A worker listens when it is ready, and its socket closes with it, so no client waits for a dead one.

A worker that dies is restarted: at once the first time, then after a pause that doubles with each death. When every
worker has died too often without a steady run, the parent gives up; as long as one is steady, it keeps restarting the
others.
"""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from msgspec import Struct

from cli.server import STOP_SECONDS, stop_signals

COMMAND = [sys.executable, "-P", "-m", "cli.worker"]
CANNOT_START = 2  # the exit code of a worker for which a restart is no remedy

log = structlog.get_logger("headrace.workers")


class RestartBackoff(Struct, frozen=True, kw_only=True):
    """When workers are restarted, given up and killed. Times are in seconds."""

    stable_after: float = 60  # after such a run, the earlier deaths of a worker no longer count
    first_pause: float = 0.5  # before the second restart; the first happens at once
    max_pause: float = 30
    max_deaths: int = 6
    stop_timeout: float = STOP_SECONDS + 5  # from the stop signal to the kill; the store is closed in the meantime

    def pause(self, deaths: int) -> float:
        """The seconds to wait before a worker is restarted that has died `deaths` times without a steady run."""
        return 0 if deaths <= 1 else min(self.max_pause, self.first_pause * 2 ** min(deaths - 2, 16))


DEFAULT_BACKOFF = RestartBackoff()


class Worker:
    """A slot for a process, numbered from 1. The process changes with each restart."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: Process | None = None
        self.started_at = 0.0  # when its process started, in the event loop's time (seconds)
        self.starts = 0
        self.deaths = 0  # since its last steady run

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if one runs."""
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)


class Workers:
    """Runs `count` processes of `command`, each with a socket that `bind` returns.

    `configure` returns the configuration of a worker, a line without its end, from the worker's number and the
    descriptor of its socket. Every worker inherits the `shared` descriptors, too. `run` lasts until `stop` is called or
    the workers are given up. For one event loop.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        bind: Callable[[], socket.socket],
        configure: Callable[[int, int], bytes],
        backoff: RestartBackoff = DEFAULT_BACKOFF,
        shared: Sequence[int] = (),
    ) -> None:
        self.workers = [Worker(number) for number in range(1, count + 1)]
        self._command = command
        self._bind = bind
        self._configure = configure
        self._backoff = backoff
        self._shared = shared
        self._stopping = asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None
        self._code = 0

    async def run(self) -> int:
        """Keep the workers running. Returns 0 when all stopped cleanly, 2 when they cannot start, else 1."""
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self.workers:
                    group.create_task(self._keep_running(worker))
        finally:
            self._send_all(signal.SIGKILL)
            if self._deadline is not None:
                self._deadline.cancel()
        return self._code

    def stop(self) -> None:
        """Ask all workers to stop; a second call kills them."""
        if self._stopping.is_set():
            self._kill("it received a second stop signal")
            return
        self._stopping.set()
        self._send_all(signal.SIGTERM)
        grace = self._backoff.stop_timeout
        self._deadline = asyncio.get_running_loop().call_later(grace, self._kill, f"it did not stop within {grace:g} s")

    async def _keep_running(self, worker: Worker) -> None:
        while not self._stopping.is_set():
            try:
                code = await self._run_process(worker)
            except OSError as error:
                if not self._stopping.is_set():
                    await self._pause_after_death(worker, f"it cannot be started: {error}")
                continue
            if self._stopping.is_set():
                self._check_exit(worker, code)
            elif code == CANNOT_START and worker.starts == 1:
                self._code = CANNOT_START
                self.stop()
            else:
                await self._pause_after_death(worker, describe_exit(code))

    async def _run_process(self, worker: Worker) -> int:
        """Start a process and wait for its end. Returns its exit code, which is negative for a signal."""
        with self._bind() as listening:
            descriptor = listening.fileno()
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, pass_fds=[descriptor, *self._shared], start_new_session=True
            )
        worker.process, worker.started_at = process, asyncio.get_running_loop().time()
        worker.starts += 1
        assert process.stdin is not None  # noqa: S101
        with suppress(ConnectionError):  # the process has died already; `wait` returns its exit code
            process.stdin.write(self._configure(worker.number, descriptor) + b"\n")
            await process.stdin.drain()
        if self._stopping.is_set():
            worker.send(signal.SIGTERM)
        return await process.wait()

    async def _pause_after_death(self, worker: Worker, end: str) -> None:
        """Count a death and wait for the pause before the restart; stop all when every worker died too often."""
        worker.deaths = 1 if self._is_stable(worker) else worker.deaths + 1
        worker.process = None
        pause = self._backoff.pause(worker.deaths)
        log.error("a worker died and is restarted", worker=worker.number, end=end, after_seconds=pause)
        if all(w.deaths >= self._backoff.max_deaths and not self._is_stable(w) for w in self.workers):
            log.error("all workers die again and again, the server gives up", deaths=self._backoff.max_deaths)
            self._code = 1
            self.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._stopping.wait()

    def _check_exit(self, worker: Worker, code: int) -> None:
        """Log a bad exit after a stop. SIGTERM is a good one: the worker had not installed its handler yet."""
        if code not in (0, -signal.SIGTERM):
            log.error("a worker did not stop cleanly", worker=worker.number, end=describe_exit(code))
            self._code = self._code or 1

    def _is_stable(self, worker: Worker) -> bool:
        uptime = asyncio.get_running_loop().time() - worker.started_at
        return worker.process is not None and uptime >= self._backoff.stable_after

    def _kill(self, why: str) -> None:
        for worker in self.workers:
            if worker.process is not None and worker.process.returncode is None:
                log.error("a worker is killed", worker=worker.number, why=why)
        self._send_all(signal.SIGKILL)

    def _send_all(self, number: signal.Signals) -> None:
        for worker in self.workers:
            worker.send(number)


async def supervise(workers: Workers) -> int:
    """Run workers until a stop signal comes. Returns the exit code of the server."""
    loop = asyncio.get_running_loop()
    signals = stop_signals()
    for number in signals:
        loop.add_signal_handler(number, workers.stop)
    try:
        return await workers.run()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def describe_exit(code: int) -> str:
    """How a process ended: `exit code 1`, or `signal SIGKILL` for a negative code."""
    names = {number.value: number.name for number in signal.Signals}
    return f"exit code {code}" if code >= 0 else f"signal {names.get(-code, -code)}"

"""The workers of a server: processes that share its address, kept alive until the server is told to stop.

Each is a new process (nothing is forked from a running loop) in a session of its own, so that Ctrl-C reaches the parent
alone. It is told what to do in a line on its standard input, which stays open: its end tells a worker that its parent
has gone, however it went.

Each has a socket of its own that is bound to the one address, and the system shares out the clients. (With one socket
for all, whoever is quicker takes all that wait: of 32 clients that came together one of two processes got 31.) A worker
listens when it is ready, and its socket goes with it: nobody waits at the door of one that has died.

A worker that dies is begun anew: at once, then after a pause that doubles from one death to the next. The parent gives
up when every worker has died too often without having run steadily; as long as one serves, it goes on trying.
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
CANNOT_BEGIN = 2  # the exit code of a worker that has nothing to hope for

log = structlog.get_logger("headrace.workers")


class RestartBackoff(Struct, frozen=True, kw_only=True):
    """How long is waited, in seconds, and how often a worker may die."""

    steady: float = 60  # a worker that has run so long is not held responsible for its former deaths
    first_pause: float = 0.5  # before the second new beginning; the first comes at once
    longest_pause: float = 30
    most_deaths: int = 6
    stop: float = STOP_SECONDS + 5  # until a worker that was told to stop is killed; the store is closed meanwhile

    def pause(self, deaths: int) -> float:
        """Before a worker that has died so often is begun anew."""
        return 0 if deaths <= 1 else min(self.longest_pause, self.first_pause * 2 ** min(deaths - 2, 16))


USUAL_BACKOFF = RestartBackoff()


class Worker:
    """A place that a process is to fill, by its number from 1."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: Process | None = None
        self.begun = 0.0  # when its process began, in the loop's time
        self.begins = 0
        self.deaths = 0  # since it last ran steadily

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)


class Workers:
    """`count` processes of `command`, each with a socket that `bind` gives.

    `orders` gives the line that a worker is told by its number and the descriptor of its socket. `run` lasts until
    `stop` is called or the workers are given up. For one event loop.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        bind: Callable[[], socket.socket],
        orders: Callable[[int, int], bytes],
        patience: RestartBackoff = USUAL_BACKOFF,
    ) -> None:
        self.workers = [Worker(number) for number in range(1, count + 1)]
        self._command = command
        self._bind = bind
        self._orders = orders
        self._patience = patience
        self._stopping = asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None
        self._code = 0

    async def run(self) -> int:
        """Keep the workers running; gives 0 when all ended well on being told to, 2 when they cannot begin, else 1."""
        try:
            async with asyncio.TaskGroup() as group:
                for worker in self.workers:
                    group.create_task(self._keep(worker))
        finally:
            self._each(signal.SIGKILL)
            if self._deadline is not None:
                self._deadline.cancel()
        return self._code

    def stop(self) -> None:
        """Ask all to stop; when they have been asked before, end them."""
        if self._stopping.is_set():
            self._kill("it was told twice to stop")
            return
        self._stopping.set()
        self._each(signal.SIGTERM)
        grace = self._patience.stop
        self._deadline = asyncio.get_running_loop().call_later(grace, self._kill, f"it did not stop within {grace:g} s")

    async def _keep(self, worker: Worker) -> None:
        while not self._stopping.is_set():
            try:
                code = await self._once(worker)
            except OSError as error:
                if not self._stopping.is_set():
                    await self._died(worker, f"it cannot be begun: {error}")
                continue
            if self._stopping.is_set():
                self._ended(worker, code)
            elif code == CANNOT_BEGIN and worker.begins == 1:
                self._code = CANNOT_BEGIN
                self.stop()
            else:
                await self._died(worker, told(code))

    async def _once(self, worker: Worker) -> int:
        """One process, from its beginning to its end."""
        with self._bind() as listening:
            descriptor = listening.fileno()
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, pass_fds=[descriptor], start_new_session=True
            )
        worker.process, worker.begun = process, asyncio.get_running_loop().time()
        worker.begins += 1
        assert process.stdin is not None  # noqa: S101
        with suppress(ConnectionError):  # it has died already, which its end will tell
            process.stdin.write(self._orders(worker.number, descriptor) + b"\n")
            await process.stdin.drain()
        if self._stopping.is_set():
            worker.send(signal.SIGTERM)
        return await process.wait()

    async def _died(self, worker: Worker, end: str) -> None:
        worker.deaths = 1 if self._is_steady(worker) else worker.deaths + 1
        worker.process = None
        pause = self._patience.pause(worker.deaths)
        log.error("a worker died, it is begun anew", worker=worker.number, end=end, after_seconds=pause)
        if all(each.deaths >= self._patience.most_deaths and not self._is_steady(each) for each in self.workers):
            log.error("all workers die again and again, the server gives up", deaths=self._patience.most_deaths)
            self._code = 1
            self.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._stopping.wait()

    def _ended(self, worker: Worker, code: int) -> None:
        """After it was told to stop. One that was told so before it listened to signals has nothing to finish."""
        if code not in (0, -signal.SIGTERM):
            log.error("a worker did not stop well", worker=worker.number, end=told(code))
            self._code = self._code or 1

    def _is_steady(self, worker: Worker) -> bool:
        lasts = asyncio.get_running_loop().time() - worker.begun
        return worker.process is not None and lasts >= self._patience.steady

    def _kill(self, why: str) -> None:
        for worker in self.workers:
            if worker.process is not None and worker.process.returncode is None:
                log.error("a worker is killed", worker=worker.number, why=why)
        self._each(signal.SIGKILL)

    def _each(self, number: signal.Signals) -> None:
        for worker in self.workers:
            worker.send(number)


async def supervise(workers: Workers) -> int:
    """Run workers until a signal comes; gives the exit code of the server."""
    loop = asyncio.get_running_loop()
    signals = stop_signals()
    for number in signals:
        loop.add_signal_handler(number, workers.stop)
    try:
        return await workers.run()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def told(code: int) -> str:
    """How a process ended, in words."""
    names = {number.value: number.name for number in signal.Signals}
    return f"exit code {code}" if code >= 0 else f"signal {names.get(-code, -code)}"

"""A Headrace server that runs under callgrind, so that its instructions can be counted.

valgrind runs one thread of the server at a time and counts every instruction outside the kernel. Until `instrument` the
server runs without counting, which is several times faster. A running server takes commands from the program `vgdb`,
a part of valgrind.
"""

import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MAIN_THREAD = 1  # callgrind numbers threads from 1; the event loop runs in the first one
START_SECONDS = 180  # on a quiet machine a server under valgrind starts in about 5 s
STOP_SECONDS = 60
COMMAND_SECONDS = 60  # for one command of `vgdb`, which takes about 0.1 s


class CannotCount(Exception):
    """Instructions cannot be counted; the message has the cause and, if there is one, the remedy."""


@dataclass(frozen=True)
class Count:
    """Instructions outside the kernel, by the number of the thread."""

    threads: Mapping[int, int]

    @property
    def total(self) -> int:
        """Instructions of all threads."""
        return sum(self.threads.values())

    @property
    def other_threads(self) -> int:
        """Instructions of all threads but the main one, which are the store's."""
        return self.total - self.threads.get(MAIN_THREAD, 0)


def valgrind_version() -> str:
    """Return valgrind's version. Raises `CannotCount` where it is not installed."""
    for program in ("valgrind", "vgdb"):
        if shutil.which(program) is None:
            raise CannotCount(f"The program `{program}` is missing: install the package valgrind.")
    return subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607


def parse_dump(text: str) -> tuple[int, int]:
    """Return a thread's number and its instructions from that thread's dump. Raises `CannotCount` for other text."""
    found = [re.search(pattern, text, re.MULTILINE) for pattern in (r"^thread: (\d+)$", r"^totals: (\d+)$")]
    thread, total = (int(each[1]) if each else None for each in found)
    if thread is None or total is None or re.search(r"^events: Ir$", text, re.MULTILINE) is None:
        raise CannotCount("callgrind's dump is not of the form that this program reads: a thread, events, totals")
    return thread, total


class CountedServer:
    """A server under callgrind: `instrument` it once, set the counters to `zero`, then `dump` them."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._dumps = 0
        self.address = self._wait_until_ready()

    @property
    def port(self) -> int:
        """The port on the loopback address where the server listens."""
        return int(self.address.rpartition(":")[2])

    def instrument(self) -> None:
        """Switch counting on; from here the server runs some 50 times slower than by itself."""
        self._command("instrumentation", "on")

    def zero(self) -> None:
        """Set all counters to zero."""
        self._command("zero")

    def dump(self) -> Count:
        """Return what has been counted since `zero`, by thread."""
        self._dumps += 1
        self._command("dump")
        written = sorted(self._folder.glob(f"callgrind.out.{self._dumps}-*"))
        if not written:
            raise CannotCount("callgrind wrote no dump")
        return Count(dict(parse_dump(file.read_text()) for file in written))

    def _command(self, *command: str) -> None:
        """Send callgrind a command. Returns when callgrind has carried it out."""
        words = ["vgdb", f"--vgdb-prefix={self._folder}/vgdb", f"--pid={self._process.pid}", *command]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise CannotCount(f"callgrind did not answer `{' '.join(command)}` within {COMMAND_SECONDS} s") from None
        if done.returncode:
            raise CannotCount(f"callgrind did not carry out `{' '.join(command)}`: {done.stderr.strip()}")

    def _wait_until_ready(self) -> str:
        """Return the server's address once it answers."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            found = re.search(r" on (http://127\.0\.0\.1:\d+)\n", self._output())
            if found and _answers(found[1]):
                return found[1]
            time.sleep(0.1)
        raise CannotCount(f"the server did not start; its output:\n{self._output().strip()}")

    def _output(self) -> str:
        return (self._folder / "server.log").read_text(errors="replace")


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health/ready", timeout=30).close()
    except OSError:
        return False
    return True


@contextmanager
def counted_server(programs: Path, checkout: Path, project: Path, folder: Path) -> Iterator[CountedServer]:
    """Serve `project` on an empty SQLite store in `folder`; at the end the server is stopped.

    `programs` is the folder that holds `python` and `headrace`, `checkout` the folder whose code is served.
    Raises `CannotCount` if the server does not start.
    """
    callgrind = ("--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "--fair-sched=try")
    files = (f"--callgrind-out-file={folder}/callgrind.out", f"--vgdb-prefix={folder}/vgdb")
    serve = (str(programs / "python"), str(programs / "headrace"), "serve", str(project), "--port", "0")
    store = ("--store", f"sqlite:{folder}/store.db")
    fixed = {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0", "COLUMNS": "200"}  # one order of sets at every start
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            ["valgrind", *callgrind, *files, *serve, *store],  # noqa: S607
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **fixed},
            start_new_session=True,  # Ctrl-C reaches this program only, which then stops the server
        )
        try:
            yield CountedServer(process, folder)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop as Ctrl-C would; kill it if it does not."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass  # it is killed below
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()

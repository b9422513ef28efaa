"""A real server in a process of its own, over a real SQLite file."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from urllib.error import URLError
from urllib.request import urlopen

from cli.admin_key import FILE, VARIABLE

COUNT = """
flow: count
trigger: {event: counted}
profile: required
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
SOURCE = "source: shop\nkind: public\nidentify: trust\ndebugger: true\nprofiles: true\n"


def write_project(root: Path, **flows: str) -> Path:
    """A project with a source `shop` and these flows (`count` when none is given)."""
    for folder in ("flows", "sources"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "sources" / "shop.yaml").write_text(SOURCE)
    for name, text in (flows or {"count": COUNT}).items():
        (root / "flows" / f"{name}.yaml").write_text(dedent(text))
    return root


def admin_headers(project: Path) -> dict[str, str]:
    """The headers that carry the admin key of a project which has been served."""
    return {"Authorization": f"Bearer {(project / FILE).read_text().strip()}"}


def _environment() -> dict[str, str]:
    """The environment of this process without a key that would take the place of the project's."""
    return {name: value for name, value in os.environ.items() if name != VARIABLE}


class ServerProcess:
    """A running server. `kill` is SIGKILL: nothing is flushed, nothing said goodbye to."""

    def __init__(self, command: list[str], project: Path) -> None:
        self.project = project
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**_environment(), "COLUMNS": "200"}
        )
        self._lines: list[str] = []
        self._more = threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            self.address = self._answering(self.wait_for_output(r" on (http://127\.0\.0\.1:\d+)")[0])
        except AssertionError:
            self.kill()
            raise

    @property
    def admin(self) -> dict[str, str]:
        """The headers of a request that may read, erase and unmerge."""
        return admin_headers(self.project)

    @property
    def output(self) -> str:
        """The standard error of the server and its workers so far."""
        return "".join(self._lines)

    def wait_for_output(self, pattern: str, times: int = 1) -> list[str]:
        """Return the matches of a pattern in its output, once there are that many."""
        with self._more:
            while len(found := re.findall(pattern, self.output)) < times:
                assert self._listener.is_alive(), f"it has ended and never said {pattern}: {self.output}"
                self._more.wait(1)
        return found

    def workers(self, begun: int) -> list[int]:
        """The processes that serve for it, once so many have begun to, those that are gone included."""
        self.wait_for_output("the worker serves", begun)
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill(self) -> None:
        """End it as a power cut of the process would."""
        self.send(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        return self.send(signal.SIGINT)

    def send(self, number: signal.Signals) -> int:
        """Send a signal that ends it; returns its exit code when it and its workers have ended."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        self._listener.join(timeout=30)
        assert not self._listener.is_alive(), f"some of its workers have not ended: {self.output}"
        return code

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as written:
            for line in written:
                with self._more:
                    self._lines.append(line)
                    self._more.notify_all()

    def _answering(self, address: str) -> str:
        while self.process.poll() is None:
            try:
                urlopen(f"{address}/health/live", timeout=5).close()
            except URLError:
                continue
            return address
        raise AssertionError(f"the server ended with {self.process.returncode}")


@contextmanager
def serving(project: Path, database: Path, module: str = "cli.main") -> Iterator[ServerProcess]:
    """The server of a project on a SQLite file; killed at the end if it is still there."""
    with serving_on(project, f"sqlite:{database}", module=module) as served:
        yield served


@contextmanager
def serving_on(project: Path, store: str, *options: str, module: str = "cli.main") -> Iterator[ServerProcess]:
    """The server of a project on any store; killed at the end if it is still there."""
    command = [sys.executable, "-m", module, "serve", str(project), "--port", "0", "--store", store, *options]
    served = ServerProcess(command, project)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.kill()

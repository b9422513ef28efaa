"""A real server in a process of its own, over a real SQLite file."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

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


class Served:
    """A running server. `kill` is SIGKILL: nothing is flushed, nothing said goodbye to."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
        )
        self.address = self._address()

    def _address(self) -> str:
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if found := re.search(r"(?<= on )http://127\.0\.0\.1:\d+", line):
                return self._answering(found[0])
        self._gone()
        raise AssertionError("the server did not start: " + "".join(said))

    def _answering(self, address: str) -> str:
        while self.process.poll() is None:
            try:
                urlopen(f"{address}/health/live", timeout=5).close()
            except URLError:
                continue
            return address
        raise AssertionError(f"the server ended with {self.process.returncode}")

    def workers(self, count: int = 1) -> list[int]:
        """The processes that serve for it, once `count` of them listen."""
        pid, port = self.process.pid, urlsplit(self.address).port
        listening = re.compile(rf"0100007F:{port:04X} 00000000:0000 0A")
        while len(listening.findall(Path("/proc/net/tcp").read_text())) < count:
            assert self.process.poll() is None
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill(self) -> None:
        """End it as a power cut of the process would."""
        self.process.send_signal(signal.SIGKILL)
        self._gone()

    def stop(self) -> int:
        """Ask it to stop; gives its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self._gone()

    def _gone(self) -> int:
        assert self.process.stderr is not None
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def serving(project: Path, database: Path, module: str = "cli.main") -> Iterator[Served]:
    """The server of a project on a SQLite file; killed at the end if it is still there."""
    with serving_on(project, f"sqlite:{database}", module=module) as served:
        yield served


@contextmanager
def serving_on(project: Path, store: str, *options: str, module: str = "cli.main") -> Iterator[Served]:
    """The server of a project on any store; killed at the end if it is still there."""
    command = [sys.executable, "-m", module, "serve", str(project), "--port", "0", "--store", store, *options]
    served = Served(command)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.kill()

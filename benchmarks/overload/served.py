"""A server of the six-node project as a child process, with the memory and the processor time that it uses."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import wait_until_ready

PROJECT = Path(__file__).parent.parent / "six"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Served:
    """A running server."""

    host: str
    port: int
    pid: int

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://{self.host}:{self.port}"

    def memory(self) -> float:
        """Return the resident memory of the process, in MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / MIB

    def cpu(self) -> float:
        """Return the seconds of processor time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(root: Path, database: Path, project: Path = PROJECT) -> Iterator[Served]:
    """Serve by the checkout at `root`, with the interpreter of its `.venv`; stop the server at the end."""
    command = (str(root / ".venv" / "bin" / "python"), "-m", "cli.main", "serve", str(project), "--port", "0")
    process = subprocess.Popen([*command, "--store", f"sqlite:{database}"], cwd=root, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"http://(127\.0\.0\.1):(\d+)", line):
                break
        else:
            raise SystemExit(f"the server of {root} did not start")
        wait_until_ready(found[0])
        yield Served(found[1], int(found[2]), process.pid)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

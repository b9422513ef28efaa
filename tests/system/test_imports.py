"""An import that is killed with -9 goes on, and each row counts once; its memory does not grow with the file."""

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from storage.sqlite.store import SqliteStore
from tests.system.server_process import ServerProcess

HEADRACE = (sys.executable, "-m", "cli.main")
FILES = {
    "headrace.yaml": "identity: {user: traits.user_id}\n",
    "sources/history.yaml": "source: history\naccepts: [import]\nidentify: trust\n",
}
WRITTEN = 200_000  # bytes of the log of a file whose tables are there
MAX_MEMORY = 150 << 20  # bytes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def write_csv(file: Path, rows: int, note: str = "") -> None:
    with file.open("w") as out:
        out.write("type,id,time,user,total,note\n")
        for number in range(rows):
            person = number * 7919 % (rows // 5)
            out.write(f"order,o{number},2024-01-{number % 28 + 1:02}T10:00:00Z,u{person},{number / 100},{note}\n")


def command(root: Path) -> list[str]:
    return [*HEADRACE, "import", str(root / "orders.csv"), "--source", "history", "--project", str(root)]


def rows_done(root: Path) -> int:
    """Return how many rows the ledger says are done; the store may be in use."""
    try:
        if (root / "headrace.db-wal").stat().st_size < WRITTEN:  # a reader would disturb how the file is made
            return 0
    except FileNotFoundError:
        return 0
    with closing(sqlite3.connect(f"file:{root / 'headrace.db'}?mode=ro", uri=True)) as reader:
        try:
            found = reader.execute("SELECT value FROM meta WHERE name LIKE 'note: import/%'").fetchall()
        except sqlite3.OperationalError:  # its tables are being made
            return 0
    return sum(json.loads(doc).get("rows", 0) for (doc,) in found)


def killed_at(root: Path, rows: int) -> None:
    """Run the import, and kill it once so many rows are done."""
    output = root / "killed.txt"
    with output.open("w") as printed:
        running = subprocess.Popen(command(root), stdout=printed, stderr=subprocess.STDOUT)
    try:
        while rows_done(root) < rows:
            assert running.poll() is None, output.read_text()
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()


def finished(root: Path) -> tuple[str, int]:
    """Run the import to its end. Returns what it prints, and the most memory that it took (bytes)."""
    output, memory = root / "output.txt", 0
    with output.open("w") as printed:
        running = subprocess.Popen(command(root), stdout=printed, stderr=subprocess.STDOUT)
        try:
            while running.poll() is None:
                memory = max(memory, most_memory(running.pid))
        finally:
            running.kill()
            running.wait()
    assert running.returncode == 0, output.read_text()
    return output.read_text(), memory


def most_memory(pid: int) -> int:
    """Return the most memory that a process has taken so far (bytes); 0 if it has ended."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024 if found is not None else 0
    return 0


def events(root: Path) -> int:
    async def counted() -> int:
        store = SqliteStore.open(root / "headrace.db")
        try:
            return (await store.counts())["events"]
        finally:
            await store.close()

    return asyncio.run(counted())


@pytest.mark.parametrize(
    "rows", [12_000, pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])]
)
def test_an_import_is_complete_after_two_kills(root: Path, rows: int) -> None:
    write_csv(root / "orders.csv", rows)
    killed_at(root, rows // 4)
    killed_at(root, rows // 2)
    output, memory = finished(root)
    assert "going on behind row" in output
    assert re.search(rf"{rows:,} rows, {rows:,} events( \([\d,]+ of them known before\))?, 0 refused", output)
    assert memory < MAX_MEMORY
    assert events(root) == rows
    again = subprocess.run(command(root), capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "orders.csv was imported on 20" in again.stderr


@pytest.mark.parametrize("characters", [0, 12_000])  # in a row: 500 of the large ones are too much for one request
def test_a_server_imports_what_a_command_sends(root: Path, characters: int) -> None:
    rows = 1_500 if not characters else 600
    write_csv(root / "orders.csv", rows, "x" * characters)
    server = ServerProcess([*HEADRACE, "serve", str(root), "--port", "0"], root)
    try:
        sent = [*command(root), "--url", server.address]
        ended = subprocess.run(sent, capture_output=True, text=True, check=False)
        assert f"{rows:,} rows, {rows:,} events, 0 refused" in ended.stdout, ended.stderr
        again = subprocess.run(sent, capture_output=True, text=True, check=False)
        assert "orders.csv was imported on 20" in again.stderr
        left = subprocess.run(command(root), capture_output=True, text=True, check=False)
        assert "is being served by process" in left.stderr
    finally:
        server.kill()
    assert events(root) == rows

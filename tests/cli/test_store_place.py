"""`headrace serve` on a store that cannot be: exit code 2, and a message with the cause and the remedy."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.server_process import write_project

# Root may write everywhere; without its capabilities it may write where the file's mode says so.
AS_ANY_USER = """
import ctypes, struct, sys
assert ctypes.CDLL(None).capset(struct.pack("II", 0x20080522, 0), struct.pack("6I", *[0] * 6)) == 0
from cli.main import main
main()
"""


def serve(project: Path, store: Path) -> "subprocess.CompletedProcess[str]":
    options = ["serve", str(project), "--port", "0", "--store", f"sqlite:{store}"]
    return subprocess.run(
        [sys.executable, "-c", AS_ANY_USER, *options], capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "COLUMNS": "1000"},
    )  # fmt: skip


def inside_a_file(root: Path) -> Path:
    (root / "file").touch()
    return root / "file" / "store.db"


def deep_inside_a_file(root: Path) -> Path:
    (root / "file").touch()
    return root / "file" / "folder" / "store.db"


def a_folder(root: Path) -> Path:
    (root / "folder").mkdir()
    return root / "folder"


def no_database(root: Path) -> Path:
    (root / "text.db").write_text("This is no database.\n" * 100)
    return root / "text.db"


def damaged(root: Path) -> Path:
    (root / "store.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 4096)
    return root / "store.db"


def another_programs(root: Path) -> Path:
    sqlite = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE theirs (x)')"
    subprocess.run([sys.executable, "-c", sqlite, str(root / "theirs.db")], check=True)
    return root / "theirs.db"


def a_read_only_file(root: Path) -> Path:
    (root / "store.db").touch(mode=0o400)
    return root / "store.db"


def in_a_read_only_folder(root: Path) -> Path:
    (root / "locked").mkdir(mode=0o500)
    return root / "locked" / "store.db"


def below_a_read_only_folder(root: Path) -> Path:
    return in_a_read_only_folder(root).parent / "folder" / "store.db"


def in_a_folder_that_cannot_be_entered(root: Path) -> Path:
    (root / "locked").mkdir(mode=0o000)
    return root / "locked" / "store.db"


def beside_a_folder_named_like_its_lock(root: Path) -> Path:
    (root / "store.db.lock").mkdir()
    return root / "store.db"


def a_device(root: Path) -> Path:
    return Path("/dev/zero")


def with_a_name_that_is_too_long(root: Path) -> Path:
    return root / ("x" * 300)


@pytest.mark.parametrize(("make", "cause", "remedy"), [
    (inside_a_file, "is a file, not a folder", "name a path outside of it"),
    (deep_inside_a_file, "is a file, not a folder", "name a path outside of it"),
    (a_folder, "it is a folder", "name a file in it"),
    (no_database, "not a database", "restore it from a backup, or name another file"),
    (damaged, "not a database", "restore it from a backup, or name another file"),
    (another_programs, "the database of another program", "name another file"),
    (a_read_only_file, "the file cannot be written to", "let the user of this process write to it"),
    (in_a_read_only_folder, "locked cannot be written to", "let the user of this process write to it"),
    (below_a_read_only_folder, "cannot be made (Permission denied)", "name another path"),
    (in_a_folder_that_cannot_be_entered, "Permission denied", "name another path"),
    (beside_a_folder_named_like_its_lock, "Is a directory", "name another path"),
    (a_device, "no regular file", "name another path"),
    (with_a_name_that_is_too_long, "File name too long", "name another path"),
])  # fmt: skip
def test_a_store_that_cannot_be_served_ends_the_server_with_words(
    tmp_path: Path, make: Callable[[Path], Path], cause: str, remedy: str
) -> None:
    project = write_project(tmp_path / "project")
    store = make(tmp_path)
    ended = serve(project, store)
    assert ended.returncode == 2, ended.stderr
    assert cause in ended.stderr
    assert remedy in ended.stderr
    assert str(store) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_store_in_folders_that_are_missing_is_made(tmp_path: Path) -> None:
    project, store = write_project(tmp_path / "project"), tmp_path / "new" / "folder" / "store.db"
    command = [sys.executable, "-c", AS_ANY_USER, "migrate", str(project), "--store", f"sqlite:{store}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, store.is_file()) == (0, True), ended.stderr

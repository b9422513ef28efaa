import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.sqlite.lock import LockedByOther, lock_file

HOLD = """
import sys
from pathlib import Path
from storage.sqlite.lock import lock_file

with lock_file(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_lock_is_refused_with_the_holders_pid(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with lock_file(path), pytest.raises(LockedByOther, match=f"process {os.getpid()}") as refusal, lock_file(path):
        pass
    assert refusal.value.pid == os.getpid()


def test_a_lock_can_be_taken_again_after_it_was_let_go(tmp_path: Path) -> None:
    for _ in range(2):
        with lock_file(tmp_path / "new" / "store.db"):
            pass


def test_two_stores_have_two_locks(tmp_path: Path) -> None:
    with lock_file(tmp_path / "a.db"), lock_file(tmp_path / "b.db"):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=Path(__file__).parent.parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedByOther, match=f"process {holder.pid}"), lock_file(path):
            pass
        holder.kill()
    with lock_file(path):
        pass

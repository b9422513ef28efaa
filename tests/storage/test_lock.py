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


def is_locked(path: Path) -> bool:
    """Whether a lock of this store is refused now."""
    try:
        with lock_file(path):
            return False
    except LockedByOther:
        return True


def test_a_second_lock_is_refused_with_the_pid_of_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with lock_file(path), pytest.raises(LockedByOther, match=f"process {os.getpid()}") as refusal:
        lock_file(path).__enter__()
    assert refusal.value.pid == os.getpid()


def test_a_lock_can_be_acquired_again_after_its_release(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.db"
    locked = []
    for _ in range(2):
        with lock_file(path):
            locked.append(is_locked(path))
        locked.append(is_locked(path))
    assert locked == [True, False, True, False]


def test_a_lock_is_released_when_its_holder_fails(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with pytest.raises(ValueError, match="a bug"), lock_file(path):
        raise ValueError("a bug")
    assert not is_locked(path)


def test_the_locks_of_two_stores_are_independent(tmp_path: Path) -> None:
    first, second = tmp_path / "a.db", tmp_path / "b.db"
    with lock_file(first):
        assert (is_locked(first), is_locked(second)) == (True, False)
        with lock_file(second):
            assert (is_locked(first), is_locked(second)) == (True, True)
        assert (is_locked(first), is_locked(second)) == (True, False)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=Path(__file__).parent.parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedByOther, match=f"process {holder.pid}"):
            lock_file(path).__enter__()
        holder.kill()
    assert not is_locked(path)

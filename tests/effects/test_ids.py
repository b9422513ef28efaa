import re
import subprocess
import sys
import threading
import time
import uuid
from itertools import pairwise

import pytest

from effects.ids import new_id

NUMBER = 100_000


def test_new_ids_are_unique_and_grow() -> None:
    ids = [new_id() for _ in range(NUMBER)]
    assert all(a < b for a, b in pairwise(ids))


def test_a_new_id_is_a_uuid_of_version_7_in_32_digits() -> None:
    id = new_id()
    assert re.fullmatch("[0-9a-f]{32}", id)
    assert uuid.UUID(id).version == 7
    assert uuid.UUID(id).variant == uuid.RFC_4122


def test_new_ids_grow_although_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([2_000_000_000_000_000_000, 1_000_000_000_000_000_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    first, second = new_id(), new_id()
    assert first < second


def test_threads_never_get_the_same_id() -> None:
    ids: list[list[str]] = [[], [], [], []]

    def draw(into: list[str]) -> None:
        into.extend(new_id() for _ in range(5_000))

    threads = [threading.Thread(target=draw, args=(into,)) for into in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set().union(*ids)) == 20_000


FORK = """
import os
from effects.ids import new_id
new_id()
child = os.fork()
os.write(1, f"{new_id()}\\n".encode())
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_process_uses_other_random_digits() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    parent, child = done.stdout.split()
    assert parent[17:] != child[17:]

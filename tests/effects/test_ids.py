import re
import subprocess
import sys
import threading
import time
import uuid
from itertools import pairwise

import pytest

from effects.ids import new_id

DRAWN = 100_000


def test_new_ids_are_unique_and_grow() -> None:
    drawn = [new_id() for _ in range(DRAWN)]
    assert all(a < b for a, b in pairwise(drawn))


def test_a_new_id_is_a_uuid_of_version_7_in_32_digits() -> None:
    drawn = new_id()
    assert re.fullmatch("[0-9a-f]{32}", drawn)
    assert uuid.UUID(drawn).version == 7
    assert uuid.UUID(drawn).variant == uuid.RFC_4122


def test_new_ids_grow_though_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([2_000_000_000_000_000_000, 1_000_000_000_000_000_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    first, second = new_id(), new_id()
    assert first < second


def test_threads_never_draw_the_same_id() -> None:
    drawn: list[list[str]] = [[], [], [], []]

    def draw(into: list[str]) -> None:
        into.extend(new_id() for _ in range(5_000))

    threads = [threading.Thread(target=draw, args=(into,)) for into in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set().union(*drawn)) == 20_000


FORK = """
import os
from effects.ids import new_id
new_id()
child = os.fork()
os.write(1, f"{new_id()}\\n".encode())
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_process_draws_other_digits() -> None:
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    ours, theirs = ran.stdout.split()
    assert ours[17:] != theirs[17:]

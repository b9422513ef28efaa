import re
import subprocess
import sys
import threading
import time
import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effects.ids import derived_id, new_id

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


def test_the_same_parts_give_the_same_id() -> None:
    assert derived_id(b"secret", "web", "s-1") == derived_id(b"secret", "web", "s-1")
    assert re.fullmatch("[0-9a-f]{32}", derived_id(b"secret", "web", "s-1"))


def test_another_secret_gives_another_id() -> None:
    assert derived_id(b"secret", "web", "s-1") != derived_id(b"other", "web", "s-1")


@given(st.lists(st.text()), st.lists(st.text()))
def test_different_parts_give_different_ids(some: list[str], others: list[str]) -> None:
    assert (derived_id(b"k", *some) == derived_id(b"k", *others)) == (some == others)


@pytest.mark.parametrize("parts", [("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")], ids=str)
def test_where_one_part_ends_matters(parts: tuple[str, ...]) -> None:
    known = {derived_id(b"k", *other) for other in [("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")]}
    assert len(known) == 4
    assert derived_id(b"k", *parts) in known

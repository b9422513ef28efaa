import time

import pytest

from effects.clock import ManualClock, SystemClock, ticks_of


class LinuxClocks:
    """A machine that has run for 5 s and slept for 60 s."""

    CLOCK_BOOTTIME = 7

    @staticmethod
    def monotonic() -> float:
        return 5.0

    @staticmethod
    def clock_gettime(clock: int) -> float:
        return {7: 65.0}[clock]


class OtherClocks:
    """A machine without a clock that goes on while it sleeps."""

    @staticmethod
    def monotonic() -> float:
        return 5.0


def test_ticks_go_on_while_the_machine_sleeps() -> None:
    assert ticks_of(LinuxClocks)() == 65.0


def test_where_no_clock_goes_on_in_sleep_ticks_are_monotonic() -> None:
    assert ticks_of(OtherClocks)() == 5.0


def test_the_system_clock_returns_ms_since_the_epoch() -> None:
    before = time.time()
    assert before * 1000 - 1 <= SystemClock().now() <= time.time() * 1000


def test_the_ticks_of_the_system_clock_never_decrease() -> None:
    clock = SystemClock()
    first = clock.ticks()
    assert clock.ticks() >= first


def test_a_manual_clock_does_not_advance_by_itself() -> None:
    clock = ManualClock(5)
    assert (clock.now(), clock.now(), clock.ticks()) == (5, 5, 0.0)


def test_advancing_a_manual_clock_advances_its_time_and_its_ticks() -> None:
    clock = ManualClock(5)
    clock.advance(1500)
    assert (clock.now(), clock.ticks()) == (1505, 1.5)


def test_setting_a_manual_clock_back_leaves_its_ticks() -> None:
    clock = ManualClock(5)
    clock.set(1)
    assert (clock.now(), clock.ticks()) == (1, 0.0)


def test_a_manual_clock_cannot_advance_by_a_negative_time() -> None:
    with pytest.raises(ValueError, match="backwards"):
        ManualClock().advance(-1)

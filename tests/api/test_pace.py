"""The pace at which large bodies are read, with senders and a clock that the test holds."""

import pytest

from api.pace import TURN_BYTES, TURN_CONNECTIONS, TURN_SECONDS, Pace
from tests.api.test_gate import FakeClock


class FakeSender:
    """A connection that notes whether it is read."""

    def __init__(self) -> None:
        self.read = True

    def pause(self) -> None:
        self.read = False

    def resume(self) -> None:
        self.read = True


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def pace(clock: FakeClock) -> Pace:
    return Pace(clock.ticks, clock.later)


def read_flags(senders: list[FakeSender]) -> list[bool]:
    return [sender.read for sender in senders]


def test_one_large_body_is_read_without_a_pause(pace: Pace) -> None:
    sender = FakeSender()
    for _ in range(4):
        pace.read(sender, TURN_BYTES // 4)
    assert sender.read


def test_a_sender_beyond_the_bytes_of_a_turn_pauses_until_the_next_turn(clock: FakeClock, pace: Pace) -> None:
    senders = [FakeSender() for _ in range(3)]
    for sender in senders:
        pace.read(sender, TURN_BYTES // 2)
    assert read_flags(senders) == [True, True, False]
    clock.pass_by(TURN_SECONDS)
    assert read_flags(senders) == [True, True, True]


def test_bytes_of_earlier_turns_do_not_count(clock: FakeClock, pace: Pace) -> None:
    sender = FakeSender()
    for _ in range(5):
        pace.read(sender, TURN_BYTES)
        assert sender.read
        clock.pass_by(TURN_SECONDS)


def test_paused_senders_are_read_in_the_order_of_their_pauses_a_few_in_each_turn(clock: FakeClock, pace: Pace) -> None:
    pace.read(FakeSender(), TURN_BYTES)
    senders = [FakeSender() for _ in range(TURN_CONNECTIONS + 2)]
    for sender in senders:
        pace.read(sender, 1)
    clock.pass_by(TURN_SECONDS)
    assert read_flags(senders) == [True] * TURN_CONNECTIONS + [False] * 2
    clock.pass_by(TURN_SECONDS)
    assert all(read_flags(senders))


def test_a_sender_that_has_gone_is_not_read_again(clock: FakeClock, pace: Pace) -> None:
    gone = FakeSender()
    pace.read(gone, TURN_BYTES + 1)
    pace.forget(gone)
    clock.pass_by(TURN_SECONDS)
    assert not gone.read

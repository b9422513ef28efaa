import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sending.breaker import FAILURES, FIRST_SECONDS, LONGEST_SECONDS, Breaker


def fail(breaker: Breaker, now: float, times: int = 1) -> None:
    for _ in range(times):
        assert breaker.may_begin(now)
        breaker.begin()
        breaker.failed(now)


def succeed(breaker: Breaker, now: float, times: int = 1) -> None:
    for _ in range(times):
        assert breaker.may_begin(now)
        breaker.begin()
        breaker.succeeded(now)


def test_five_failures_in_a_row_open_it_for_30_seconds():
    breaker = Breaker(8)
    fail(breaker, 0, FAILURES - 1)
    assert breaker.may_begin(0)
    fail(breaker, 0)
    assert not breaker.may_begin(29.9)
    assert breaker.is_open(29.9)
    assert breaker.may_begin(30)
    assert not breaker.is_open(30)


def test_a_success_between_failures_keeps_it_closed():
    breaker = Breaker(8)
    for _ in range(5):
        fail(breaker, 0, FAILURES - 1)
        succeed(breaker, 0)
    assert not breaker.troubled


def test_wrong_credentials_open_it_at_once():
    breaker = Breaker(8)
    breaker.begin()
    breaker.failed(0, at_once=True)
    assert not breaker.may_begin(0)


def test_one_probe_begins_after_the_pause():
    breaker = Breaker(8)
    fail(breaker, 0, FAILURES)
    breaker.begin()
    assert not breaker.may_begin(31)
    breaker.abandoned()
    assert breaker.may_begin(31)


def test_each_failed_probe_doubles_the_pause_up_to_ten_minutes():
    breaker, now, pauses = Breaker(8), 0.0, []
    fail(breaker, now, FAILURES)
    for _ in range(8):
        pauses.append(breaker.opens_until - now)
        now = breaker.opens_until
        fail(breaker, now)
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600]


def test_after_a_probe_each_round_is_twice_as_wide_up_to_the_concurrency():
    breaker, rounds = Breaker(20), []
    fail(breaker, 0, FAILURES)
    for _ in range(6):
        wide = 0
        while breaker.may_begin(30):
            breaker.begin()
            wide += 1
        rounds.append(wide)
        for _ in range(wide):
            breaker.succeeded(30)
    assert rounds == [1, 2, 4, 8, 16, 20]
    assert not breaker.troubled


def test_the_pause_is_the_first_one_again_after_it_has_closed():
    breaker = Breaker(2)
    fail(breaker, 0, FAILURES)
    fail(breaker, 30)
    succeed(breaker, 90, 2)
    fail(breaker, 90, FAILURES)
    assert breaker.opens_until == 90 + FIRST_SECONDS


def test_a_target_that_fails_while_it_recovers_gets_the_doubled_pause():
    breaker = Breaker(20)
    fail(breaker, 0, FAILURES)
    succeed(breaker, 30)
    fail(breaker, 31, FAILURES)
    assert breaker.opens_until == 31 + 2 * FIRST_SECONDS


def test_requests_that_began_before_it_opened_do_not_move_it():
    breaker = Breaker(20)
    for _ in range(12):
        breaker.begin()
    for _ in range(10):
        breaker.failed(1)
    breaker.succeeded(2)
    breaker.succeeded(2)
    assert breaker.opens_until == 1 + FIRST_SECONDS
    assert breaker.under_way == 0


def test_successes_of_requests_that_began_before_it_opened_do_not_let_more_than_the_probe_begin():
    breaker = Breaker(20)
    for _ in range(8):
        breaker.begin()
    for _ in range(FAILURES):
        breaker.failed(1)
    for _ in range(3):
        breaker.succeeded(2)
    assert breaker.may_begin(1 + FIRST_SECONDS)
    breaker.begin()
    assert not breaker.may_begin(1 + FIRST_SECONDS)


def test_another_process_goes_on_where_this_one_stopped():
    breaker = Breaker(8)
    fail(breaker, 0, FAILURES)
    fail(breaker, 30)
    successor = Breaker(8)
    successor.follow(breaker.left(40), now=1000)
    assert not successor.may_begin(1049)
    fail(successor, 1050)
    assert successor.opens_until == 1050 + 120


def test_a_closed_breaker_leaves_a_closed_one():
    successor = Breaker(8)
    fail(successor, 0, FAILURES)
    successor.follow(Breaker(8).left(5), now=9)
    assert successor.may_begin(9)


@pytest.mark.parametrize("concurrency", [1, 2, 32])
@given(st.lists(st.tuples(st.sampled_from(["ok", "fail", "bad", "gone", "wait"]), st.floats(0, 50)), max_size=80))
def test_its_laws(concurrency, steps):
    breaker, now, open_since = Breaker(concurrency), 0.0, None
    for what, passes in steps:
        now += passes
        was_open = breaker.is_open(now)
        if what != "wait" and breaker.may_begin(now):
            assert not was_open
            breaker.begin()
            assert breaker.under_way <= concurrency
        if breaker.under_way and what != "wait":
            match what:
                case "ok":
                    breaker.succeeded(now)
                case "gone":
                    breaker.abandoned()
                case _:
                    breaker.failed(now, at_once=what == "bad")
        assert breaker.under_way >= 0
        if breaker.is_open(now):
            assert breaker.opens_until - now <= LONGEST_SECONDS
            open_since = breaker.opens_until if not was_open else open_since
            assert breaker.opens_until == open_since

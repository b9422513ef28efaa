import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sending.backoff import FIRST_MS, LONGEST_ASKED_MS, LONGEST_MS, SPREAD, pause_ms

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("attempt", "usual"),
    [(1, 5_000), (2, 15_000), (3, 45_000), (4, 135_000), (7, 3_645_000), (8, 3 * HOUR), (500, 3 * HOUR)],
)
@given(id=st.text(max_size=40))
def test_pauses_triple_up_to_three_hours_within_a_quarter(attempt, usual, id):
    assert usual * (1 - SPREAD) <= pause_ms(id, attempt) <= usual * (1 + SPREAD)


def test_deliveries_that_failed_together_do_not_come_again_together():
    pauses = {pause_ms(f"d{number}", 8) for number in range(100)}
    assert len(pauses) == 100
    assert max(pauses) - min(pauses) > HOUR


def test_any_process_computes_the_same_pause():
    assert pause_ms("d1", 3) == pause_ms("d1", 3)


@given(asked=st.integers(0, 10 * LONGEST_ASKED_MS), attempt=st.integers(1, 100))
def test_a_target_is_given_the_time_that_it_asks_for_up_to_a_day(asked, attempt):
    pause = pause_ms("d1", attempt, asked)
    assert pause >= min(asked, LONGEST_ASKED_MS)
    assert pause >= FIRST_MS * (1 - SPREAD)
    assert pause <= max(LONGEST_ASKED_MS, LONGEST_MS * (1 + SPREAD))

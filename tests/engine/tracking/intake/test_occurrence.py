"""When an event occurred: which clocks correct its time, and within which bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.written_time import FIRST, LAST
from engine.tracking.intake.occurrence import FUTURE_MS, Occurrence, occurrence

NOW = 1_764_500_000_000
SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000
OLDEST = 400 * DAY

MOMENTS = st.integers(FIRST, LAST)
NEAR = st.integers(NOW - 500 * DAY, NOW + 2 * DAY)
CLOCKS = st.fixed_dictionaries({"slow": st.booleans(), "skewed": st.booleans()})


@pytest.mark.parametrize(("time", "sent", "slow", "at"), [
    pytest.param(NOW - HOUR, None, False, NOW - HOUR, id="a time alone is itself"),
    pytest.param(NOW - HOUR, None, True, NOW - HOUR, id="also where clocks may be slow"),
    pytest.param(NOW - HOUR, NOW, True, NOW - HOUR, id="a right clock corrects nothing"),
    pytest.param(NOW, NOW + 5 * SECOND, False, NOW, id="a clock that is 5 s ahead is right"),
    pytest.param(NOW, NOW + 5 * SECOND + 1, False, NOW - 5 * SECOND - 1, id="a clock further ahead is corrected"),
    pytest.param(NOW + 3 * DAY, NOW + 3 * DAY, False, NOW, id="by days"),
    pytest.param(NOW + 3 * DAY, NOW + 3 * DAY, True, NOW, id="whatever the source says"),
    pytest.param(NOW - 2 * HOUR, NOW - HOUR, False, NOW - 2 * HOUR, id="a request may be an hour old"),
    pytest.param(NOW - 2 * HOUR, NOW - HOUR, True, NOW - HOUR, id="unless the clock may be slow"),
    pytest.param(NOW - HOUR, NOW - 5 * SECOND + 1, True, NOW - HOUR, id="a request takes up to 5 s"),
    pytest.param(NOW - HOUR, NOW - 5 * SECOND, True, NOW - HOUR + 5 * SECOND, id="a slow clock is 5 s behind"),
    pytest.param(NOW - 2 * DAY, NOW - DAY, True, NOW - DAY, id="or a day"),
    pytest.param(NOW - 2 * DAY, NOW - DAY - 1, True, NOW - 2 * DAY, id="but no longer"),
])  # fmt: skip
def test_the_time_at_which_a_client_sent_an_event_corrects_its_time_where_that_is_safe(
    time: int, sent: int | None, slow: bool, at: int
) -> None:
    assert occurrence(time, sent, NOW, OLDEST, slow=slow) == Occurrence(at, late=False)


@pytest.mark.parametrize("lag", [-3 * DAY, -1, 1, SECOND, HOUR, 3 * DAY])
def test_a_protocol_may_correct_every_time(lag: int) -> None:
    assert occurrence(NOW - lag - HOUR, NOW - lag, NOW, OLDEST, skewed=True).at == NOW - HOUR


@pytest.mark.parametrize(("time", "sent", "at"), [
    pytest.param(NOW + FUTURE_MS, None, NOW + FUTURE_MS, id="a minute from now"),
    pytest.param(NOW + FUTURE_MS + 1, None, NOW, id="later"),
    pytest.param(LAST, None, NOW, id="much later"),
    pytest.param(NOW + 2 * HOUR, NOW + HOUR, NOW, id="later than it was sent"),
    pytest.param(FIRST, None, FIRST, id="the first time that can be written"),
    pytest.param(FIRST, NOW + HOUR, NOW, id="before it"),
])  # fmt: skip
def test_a_time_out_of_bounds_is_replaced_by_that_of_the_server(time: int, sent: int | None, at: int) -> None:
    assert occurrence(time, sent, NOW, OLDEST).at == at


@pytest.mark.parametrize(("time", "sent", "late"), [
    pytest.param(NOW - OLDEST, None, False, id="as old as the project says"),
    pytest.param(NOW - OLDEST - 1, None, True, id="older"),
    pytest.param(NOW - OLDEST, NOW + HOUR, True, id="older once it is corrected"),
    pytest.param(LAST, None, False, id="a time that is not used"),
])  # fmt: skip
def test_an_event_is_late_if_it_occurred_before_the_oldest(time: int, sent: int | None, late: bool) -> None:
    assert occurrence(time, sent, NOW, OLDEST).late is late


@given(MOMENTS, st.none() | MOMENTS, CLOCKS)
def test_no_event_occurs_in_the_future_or_before_the_year_1(
    time: int, sent: int | None, clocks: dict[str, bool]
) -> None:
    assert FIRST <= occurrence(time, sent, NOW, OLDEST, **clocks).at <= NOW + FUTURE_MS


@given(MOMENTS, CLOCKS)
def test_without_a_time_of_sending_a_time_is_itself_or_the_servers(time: int, clocks: dict[str, bool]) -> None:
    assert occurrence(time, None, NOW, OLDEST, **clocks).at == (time if time <= NOW + FUTURE_MS else NOW)


@given(NEAR, NEAR, st.integers(0, DAY))
def test_a_request_that_is_sent_again_later_moves_no_event_of_a_trusted_source(time: int, sent: int, wait: int) -> None:
    first = occurrence(time, min(sent, NOW), NOW, OLDEST).at
    again = occurrence(time, min(sent, NOW), NOW + wait, OLDEST).at
    assert again == first or time > NOW + FUTURE_MS


@given(NEAR, st.integers(0, 3 * DAY), st.integers(5 * SECOND + 1, 3 * DAY))
def test_events_of_one_request_keep_their_distance(time: int, apart: int, ahead: int) -> None:
    sent = NOW + ahead
    first, second = [occurrence(at, sent, NOW, OLDEST).at for at in (min(time, sent) - apart, min(time, sent))]
    assert second - first == apart


@given(MOMENTS, st.none() | MOMENTS, st.integers(1, LAST), CLOCKS)
def test_an_event_is_late_exactly_if_it_occurred_longer_ago_than_the_oldest(
    time: int, sent: int | None, oldest: int, clocks: dict[str, bool]
) -> None:
    found = occurrence(time, sent, NOW, oldest, **clocks)
    assert found.late == (NOW - found.at > oldest)

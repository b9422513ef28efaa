import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.project.target_limits import Rate
from engine.sending.rate import RateLimit


def test_without_a_rate_nothing_waits():
    limit = RateLimit(None)
    limit.begin(0)
    assert limit.pause(0) == 0


def test_the_next_request_waits_until_the_first_is_old_enough():
    limit = RateLimit(Rate(2, 1))
    limit.begin(0)
    limit.begin(0.4)
    assert limit.pause(0.4) == pytest.approx(0.6)
    assert limit.pause(1) == 0


@given(st.integers(1, 5), st.lists(st.floats(0, 2), max_size=60))
def test_no_span_of_time_has_more_requests_than_the_rate(count, pauses):
    limit, now, begun = RateLimit(Rate(count, 1)), 0.0, []
    for pause in pauses:
        now += pause
        if limit.pause(now) == 0:
            limit.begin(now)
            begun.append(now)
    for first, last in zip(begun, begun[count:], strict=False):
        assert last >= first + 1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sending.rate import Rate, RateLimit, read_rate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50/s", Rate(50, 1)),
        ("600/min", Rate(600, 60)),
        ("600/m", Rate(600, 60)),
        ("1/h", Rate(1, 3600)),
        ("5/d", Rate(5, 86_400)),
        ("100000/s", Rate(100_000, 1)),
        *((text, None) for text in ("0/s", "-1/s", "100001/s", "50", "50/x", " 5/s", "5 / s", "1.5/s", "٥/s", None, 5)),
    ],
)
def test_a_rate_is_read(text, expected):
    assert read_rate(text) == expected


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

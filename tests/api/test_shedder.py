"""The shedder as a pure decision over time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.shedder import Shedder

TARGET, BURST = 0.1, 0.5
SECONDS = st.floats(0, 100, allow_nan=False)


@given(st.lists(SECONDS, max_size=20).map(sorted), SECONDS, st.floats(0, TARGET))
def test_a_request_that_has_waited_no_longer_than_the_target_is_never_shed(
    emptied: list[float], now: float, waited: float
) -> None:
    shedder = Shedder(TARGET, BURST)
    for moment in emptied:
        if moment <= now:
            shedder.emptied(moment)
    assert not shedder.sheds(now, now - waited + 1e-9)


@given(SECONDS, st.floats(BURST + 0.001, 100))
def test_a_request_that_has_waited_longer_than_a_burst_is_always_shed(now: float, waited: float) -> None:
    shedder = Shedder(TARGET, BURST)
    shedder.emptied(now)
    assert shedder.sheds(now, now - waited)


@pytest.mark.parametrize(("since_empty", "shed"), [(0.0, False), (0.5, False), (0.6, True), (60.0, True)])
def test_between_target_and_burst_it_matters_how_long_ago_nothing_waited(since_empty: float, shed: bool) -> None:
    shedder = Shedder(TARGET, BURST)
    shedder.emptied(100.0 - since_empty)
    assert shedder.overloaded(100.0) == shed
    assert shedder.sheds(100.0, 99.7) == shed


@given(st.lists(st.tuples(st.floats(0.001, 0.2), st.integers(1, 30)), min_size=30, max_size=60))
def test_under_lasting_overload_each_accepted_request_has_waited_no_longer_than_the_target(
    turns: list[tuple[float, int]],
) -> None:
    """Each turn takes some time; the requests of a turn arrive at its start, and one is processed at its end."""
    shedder, now, queue = Shedder(TARGET, BURST), 0.0, list[float]()
    shedder.emptied(now)
    for seconds, arrivals in turns:
        queue += [now] * (arrivals + 1)
        now += seconds
        while queue and shedder.sheds(now, queue[0]):
            queue.pop(0)
        if queue:
            waited = now - queue.pop(0)
            assert waited <= (TARGET if now > BURST else BURST) + 1e-9
        if now <= BURST and not queue:
            shedder.emptied(now)

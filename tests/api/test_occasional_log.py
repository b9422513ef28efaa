"""A log line for what happens often."""

from api.occasional_log import OccasionalLog


def test_the_first_occurrence_is_logged_and_the_next_ones_are_counted_until_the_time_is_over() -> None:
    written, now = list[int](), 0.0
    log = OccasionalLog(written.append, lambda: now, seconds=10)
    for now in (0.0, 1.0, 9.9, 10.0, 10.1, 30.0):  # noqa: B007  # the log reads it
        log.occurred()
    assert written == [1, 3, 2]

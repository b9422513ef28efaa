"""Cron expressions: the values of their fields, and what is wrong with a text that is none."""

import pytest

from engine.flow.cron import CronError, read_cron


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("*/20 * * * *", "minutes", (0, 20, 40)),
        ("5,1-3 * * * *", "minutes", (1, 2, 3, 5)),
        ("50/5 * * * *", "minutes", (50, 55)),
        ("0 8-18/5 * * *", "hours", (8, 13, 18)),
        ("0 0 1 jan,JUL *", "months", (1, 7)),
        ("0 0 * * mon-wed", "weekdays", (1, 2, 3)),
        ("0 0 * * 5-7", "weekdays", (0, 5, 6)),
        ("0 0 * * fri-sun", "weekdays", (0, 5, 6)),
        ("0 0 * * *", "weekdays", tuple(range(7))),
        ("  0   0 * *  * ", "hours", (0,)),
    ],
)
def test_a_field_has_its_values(text: str, field: str, expected: tuple[int, ...]) -> None:
    assert getattr(read_cron(text), field) == expected


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("0 0 6 * * ?", "this one has 6", '`schedule: "0 6 * * *"`'),
        ("0 6", "this one has 2", "minute, hour, day, month, weekday"),
        ("@daily", "no cron expression", '`schedule: "0 0 * * *"`'),
        ("weekly", "no cron expression", '`schedule: "0 0 * * sun"`'),
        ("@reboot", "no cron expression", "five fields"),
        ("0 6 * * monday", "`monday` is no day of the week", "`mon`"),
        ("0 6 ? * *", "`?` is no day of the month", "`*`"),
        ("0 6 L * *", "`l` is no day of the month", "from 1 to 31"),
        ("60 6 * * *", "`60` is no minute", "from 0 to 59"),
        ("0 24 * * *", "`24` is no hour", "from 0 to 23"),
        ("0 6 0 * *", "`0` is no day of the month", "from 1 to 31"),
        ("0 22-2 * * *", "ends before it begins", "`22-23,0-2`"),
        ("*/0 * * * *", "a step of 0", "`*/15`"),
        ("1,,2 * * * *", "`` is no minute", "from 0 to 59"),
        ("0 0 30 2 *", "never comes", "the day or the month"),
        ("0 0 31 4,6 *", "no day 31", "the day or the month"),
        ("٥ * * * *", "no minute", "from 0 to 59"),
    ],
)
def test_a_text_that_is_no_cron_expression_has_a_remedy(text: str, message: str, help: str) -> None:
    with pytest.raises(CronError) as raised:
        read_cron(text)
    assert message in str(raised.value)
    assert help in raised.value.help


def test_a_rare_day_comes_if_a_weekday_does() -> None:
    assert read_cron("0 0 31 2 mon").weekdays == (1,)

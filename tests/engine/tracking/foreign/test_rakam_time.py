"""Rakam's times: milliseconds, or text in the forms that Rakam reads, in UTC where it has no offset."""

from typing import Any

import pytest

from engine.tracking.foreign.items import UnusableMember
from engine.tracking.foreign.rakam_time import time_in
from engine.tracking.intake.event_time import read_event_time

NOON = 1_483_617_600_000  # 2017-01-05T12:00:00Z


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        (NOON, NOON),
        (str(NOON), NOON),
        ("2017-01-05T12:00:00Z", NOON),
        ("2017-01-05T14:00:00+02:00", NOON),
        ("2017-01-05 12:00", NOON),
        ("2017-1-5 12:00:00", NOON),
        ("2017-1-5 12:0:0.250", NOON + 250),
        ("2017-1-5 12:00:00 UTC", NOON),
        ("2017-1-5 9:00:00 -0300", NOON),
        (" 2017-1-5T12:00 GMT ", NOON),
        ("2017-1-5", NOON - 12 * 3_600_000),
        ("20170105T120000Z", NOON),
    ],
)
def test_a_time_is_read_in_the_forms_of_rakam(sent: Any, moment: int) -> None:
    assert read_event_time(time_in({"_time": sent}, "_time", "")) == moment


@pytest.mark.parametrize("members", [{}, {"_time": None}, {"_time": ""}])
def test_an_absent_time_is_none(members: dict[str, Any]) -> None:
    assert time_in(members, "_time", "") is None


@pytest.mark.parametrize(
    "sent", [True, [], {}, "yesterday", "2017-13-01", "2017-1-5 25:00", "2017-1-5 12:00 CET", 1e300]
)
def test_any_other_value_is_no_time(sent: Any) -> None:
    with pytest.raises(UnusableMember) as wrong:
        time_in({"_time": sent}, "_time", "/properties")
    assert wrong.value.at == "/properties/_time"
    assert "`_time`" in wrong.value.reason

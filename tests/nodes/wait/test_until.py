from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from engine.flow.ask import NoAnswer, WaitAsk, WaitReply
from nodes.wait.until import WaitUntil
from tests.nodes.build import NOW, node_context

DAY = 86_400_000


def at(text: str, zone: str = "Europe/Berlin") -> int:
    """The moment (ms) of a local time; of two with one name the first."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def asked(node: WaitUntil, now: int, timezone: str = "UTC"):
    return node.ask(structs.replace(node_context(), now=now, timezone=timezone))


@pytest.mark.parametrize(
    ("now", "time", "until"),
    [
        pytest.param("2026-05-01T08:00", "09:00", "2026-05-01T09:00", id="later today"),
        pytest.param("2026-05-01T09:01", "09:00", "2026-05-02T09:00", id="tomorrow"),
        pytest.param("2026-12-31T23:00", "09:00", "2027-01-01T09:00", id="in the next year"),
        pytest.param("2026-03-28T10:00", "09:00", "2026-03-29T09:00", id="behind the change to summer time"),
        pytest.param("2026-10-24T10:00", "09:00", "2026-10-25T09:00", id="behind the change to winter time"),
        pytest.param(
            "2026-03-29T01:00", "02:30", "2026-03-29T03:00", id="of a time that is skipped the end of the gap"
        ),
        pytest.param("2026-10-25T01:00", "02:30", "2026-10-25T02:30", id="of two times of one name the first"),
    ],
)
def test_a_time_of_day_is_the_next_one_in_its_zone(now, time, until):
    assert asked(WaitUntil(time=time, zone="Europe/Berlin"), at(now)) == WaitAsk(at(until))


def test_between_two_times_of_one_name_the_next_one_is_tomorrow():
    second = at("2026-10-25T02:30") + 3_600_000
    assert asked(WaitUntil(time="02:30", zone="Europe/Berlin"), second) == WaitAsk(at("2026-10-26T02:30"))


def test_without_a_zone_the_time_is_in_that_of_the_project():
    now = at("2026-05-01T08:00", "Asia/Tokyo")
    assert asked(WaitUntil(time="09:00"), now, "Asia/Tokyo") == WaitAsk(now + 3_600_000)


@pytest.mark.parametrize("moment", [NOW + DAY, "2023-11-15T22:13:20Z", "2023-11-15T23:13:20+01:00"])
def test_a_moment_is_a_number_or_a_text(moment):
    assert asked(WaitUntil(at=moment), NOW) == WaitAsk(NOW + DAY)


@pytest.mark.parametrize("moment", [NOW, NOW - 1, "2001-01-01"])
def test_a_moment_that_has_passed_goes_on_at_once(moment):
    assert asked(WaitUntil(at=moment), NOW).port == "done"


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        pytest.param(WaitUntil(at=NOW + 401 * DAY), "more than 400 days", id="too far away"),
        pytest.param(WaitUntil(at="tomorrow"), "needs an ISO 8601 time", id="no time"),
        pytest.param(WaitUntil(at=None), "needs text", id="nothing"),
        pytest.param(WaitUntil(time="09:00", zone="Mars/Base"), "is not a time zone", id="no zone"),
    ],
)
def test_what_is_no_moment_leaves_by_failed(node, reason):
    outcome = asked(node, NOW)
    assert outcome.port == "failed"
    assert reason in outcome.reason


def test_spread_moves_each_run_by_its_own_time():
    node = WaitUntil(at=NOW + DAY, spread=600_000)
    moved = {node.ask(structs.replace(node_context(), now=NOW, new_id=f"run-{i}")).until - NOW - DAY for i in range(50)}
    assert len(moved) > 40
    assert min(moved) >= 0
    assert max(moved) <= 600_000


def test_it_goes_on_when_the_moment_has_come():
    assert WaitUntil(at=NOW).answer(node_context(), WaitReply()).port == "done"
    assert WaitUntil(at=NOW).answer(node_context(), NoAnswer("limit", "why")).reason == "why"

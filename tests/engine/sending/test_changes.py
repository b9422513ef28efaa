import pytest
from msgspec import structs

from engine.ports.courier import DeliveryResult
from engine.project.target_limits import DEFAULT_GIVE_UP_MS as GIVE_UP_MS
from engine.sending.changes import (
    DAY_MS,
    MAX_REASON,
    Keeping,
    after_attempt,
    ended_as,
    moved,
    put_off,
    retried,
)
from tests.engine.sending.samples import NOW, sample

HOUR = 3_600_000
USUAL = Keeping()
FAILED = DeliveryResult("again", status=503, reason="the target answered 503", health="fails")


def test_a_delivery_that_arrived_is_sent_and_kept_for_a_week():
    sent = after_attempt(sample(), DeliveryResult("sent", status=204, took_ms=12), NOW + 5, USUAL)
    assert (sent.state, sent.ended, sent.due, sent.attempts, sent.version) == (
        "sent",
        NOW + 5,
        NOW + 5 + 7 * DAY_MS,
        1,
        2,
    )
    assert sent.last is not None
    assert (sent.last.at, sent.last.status, sent.last.took_ms) == (NOW + 5, 204, 12)


def test_a_message_that_is_refused_is_dead_at_once_and_kept_for_30_days():
    dead = after_attempt(sample(), DeliveryResult("dead", status=422, reason="no such field"), NOW, USUAL)
    assert (dead.state, dead.due - NOW) == ("dead", 30 * DAY_MS)
    assert dead.last is not None
    assert dead.last.reason == "no such field"


def test_a_failed_one_waits_for_its_pause():
    again = after_attempt(sample(), FAILED, NOW, USUAL)
    assert again.state == "waiting"
    assert 3_750 <= again.due - NOW <= 6_250


def test_every_delivery_has_an_attempt_however_old_it_is():
    late = after_attempt(sample(), DeliveryResult("sent"), NOW + 99 * DAY_MS, USUAL)
    assert late.state == "sent"


def test_a_failing_one_is_given_up_by_its_age():
    delivery, now, attempts = sample(), NOW, 0
    while delivery.state == "waiting":
        now = delivery.due
        delivery = after_attempt(delivery, FAILED, now, USUAL)
        attempts += 1
    assert GIVE_UP_MS <= now - NOW <= GIVE_UP_MS + 4 * HOUR
    assert delivery.state == "dead"
    assert delivery.attempts == attempts > 20
    assert delivery.last is not None
    assert delivery.last.reason == f"given up after 3d and {attempts} attempts: the target answered 503"


def test_a_postponed_one_is_given_up_by_its_age_since_it_was_due():
    again = after_attempt(sample(due=NOW + 10 * DAY_MS), FAILED, NOW + 10 * DAY_MS, USUAL)
    assert again.state == "waiting"


def test_putting_one_off_does_not_make_it_younger():
    waiting = put_off(put_off(sample(), NOW + HOUR), NOW + GIVE_UP_MS)
    assert (waiting.due, waiting.since, waiting.version) == (NOW + GIVE_UP_MS, NOW, 3)
    assert after_attempt(waiting, FAILED, NOW + GIVE_UP_MS, USUAL).state == "dead"


def test_a_retried_one_has_the_full_time_again_under_the_same_id():
    dead = after_attempt(sample(), FAILED, NOW + 9 * DAY_MS, USUAL)
    assert dead.state == "dead"
    again = retried(dead, NOW + 20 * DAY_MS)
    assert (again.id, again.state, again.due, again.attempts) == ("d1", "waiting", NOW + 20 * DAY_MS, 0)
    assert (again.rounds, again.ended, again.version) == (1, None, dead.version + 1)
    assert after_attempt(again, FAILED, NOW + 22 * DAY_MS, USUAL).state == "waiting"
    assert after_attempt(again, FAILED, NOW + 23 * DAY_MS, USUAL).state == "dead"


@pytest.mark.parametrize(("state", "days"), [("sent", 7), ("dropped", 7), ("dead", 30)])
def test_no_record_is_deleted_before_the_deduplication_window(state, days):
    assert ended_as(sample(), state, NOW, Keeping(window=DAY_MS)).due == NOW + days * DAY_MS
    assert ended_as(sample(), state, NOW, Keeping(window=90 * DAY_MS)).due == NOW + 90 * DAY_MS


def test_a_dropped_one_says_why():
    dropped = ended_as(sample(), "dropped", NOW, USUAL, "no test part")
    assert dropped.last is not None
    assert dropped.last.reason == "no test part"


def test_a_long_reason_is_cut():
    dead = after_attempt(sample(), DeliveryResult("dead", reason="x" * 9999), NOW, USUAL)
    assert dead.last is not None
    assert len(dead.last.reason) == MAX_REASON


def test_one_moves_to_another_queue_as_it_is():
    assert structs.replace(moved(sample(), "crm/1"), queue="crm/0", version=1) == sample()

"""The changes of a stored delivery: after an attempt, when it is given up, dropped, retried or put off.

Each function returns the record to be written over the version that was read. They are pure: `now` is in ms.
"""

from typing import Final, Literal

from msgspec import Struct, structs

from engine.language.duration import show_duration
from engine.ports.courier import DeliveryResult
from engine.ports.outbox import DeliveryAttempt, StoredDelivery
from engine.project.project import WEEK_MS
from engine.project.target_limits import DEFAULT_GIVE_UP_MS
from engine.sending.backoff import pause_ms

DAY_MS: Final = 86_400_000
KEPT_MS: Final = 7 * DAY_MS  # sent and dropped ones, after they have ended
KEPT_DEAD_MS: Final = 30 * DAY_MS
MAX_REASON: Final = 500  # characters

Ended = Literal["sent", "dead", "dropped"]


class Keeping(Struct, frozen=True):
    """How long deliveries are kept: failing ones until they are given up, ended ones until they are deleted; in ms.

    An ended one is kept for the deduplication window at least: if its record were gone, a unit that was committed but
    not acknowledged could create it again.
    """

    give_up: int = DEFAULT_GIVE_UP_MS
    window: int = WEEK_MS

    def ended(self, state: Ended) -> int:
        """Return how long a delivery is kept after it has ended in a state."""
        return max(KEPT_DEAD_MS if state == "dead" else KEPT_MS, self.window)


def after_attempt(delivery: StoredDelivery, result: DeliveryResult, now: int, keeping: Keeping) -> StoredDelivery:
    """Return a delivery after an attempt: ended, or due again after a pause."""
    attempts, since = delivery.attempts + 1, _since(delivery)
    reason, ended = result.reason, result.verdict
    if ended == "again" and now - since >= keeping.give_up:
        age = show_duration(keeping.give_up)
        reason, ended = f"given up after {age} and {_times(attempts)}: {reason}", "dead"
    last = DeliveryAttempt(now, result.status, reason[:MAX_REASON], result.took_ms)
    tried = structs.replace(delivery, attempts=attempts, last=last, since=since)
    if ended != "again":
        return ended_as(tried, ended, now, keeping)
    due = now + pause_ms(delivery.id, attempts, result.retry_after_ms)
    return structs.replace(tried, due=due, version=delivery.version + 1)


def ended_as(delivery: StoredDelivery, state: Ended, now: int, keeping: Keeping, reason: str = "") -> StoredDelivery:
    """Return a delivery that has ended; `reason` says why, if no attempt does. It is due when it is to be deleted."""
    last = DeliveryAttempt(now, reason=reason[:MAX_REASON]) if reason else delivery.last
    due = now + keeping.ended(state)
    return structs.replace(delivery, state=state, ended=now, due=due, last=last, version=delivery.version + 1)


def retried(delivery: StoredDelivery, now: int) -> StoredDelivery:
    """Return a dead delivery as it waits again, under the same id and with the full time until it is given up."""
    return structs.replace(
        delivery,
        state="waiting",
        ended=None,
        due=now,
        since=now,
        attempts=0,
        rounds=delivery.rounds + 1,
        version=delivery.version + 1,
    )


def put_off(delivery: StoredDelivery, due: int) -> StoredDelivery:
    """Return a delivery that waits for another one, which is due just before `due`."""
    return structs.replace(delivery, due=due, since=_since(delivery), version=delivery.version + 1)


def moved(delivery: StoredDelivery, queue: str) -> StoredDelivery:
    """Return a delivery in another queue of its target, whose shards have changed."""
    return structs.replace(delivery, queue=queue, version=delivery.version + 1)


def _since(delivery: StoredDelivery) -> int:
    """Return when a delivery was due first, or by its last `retry`: it is given up by its age since then."""
    return delivery.due if delivery.since is None else delivery.since


def _times(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"

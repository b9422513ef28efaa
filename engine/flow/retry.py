"""Attempts at an ask: the timeout of each, the pause before the next, and the limits of a node's asks."""

import msgspec

from engine.flow.ask import Ask, HttpAsk, NoAnswer, Reply, WaitAsk
from engine.flow.plan import PlannedNode
from engine.language.duration import show_duration

MAX_ASKS = 20  # of one node in one run
MAX_BACKOFF_MS = 60_000


def with_timeout(node: PlannedNode, ask: Ask, spent: int, now: int) -> Ask:
    """The ask with its timeout, when `spent` ms of the node's deadline are used up at `now` (ms)."""
    if isinstance(ask, WaitAsk) and ask.until is None:
        return msgspec.structs.replace(ask, until=now + node.timeout_ms)
    if not isinstance(ask, HttpAsk):
        return ask
    left = node.timeout_ms if node.deadline_ms is None else min(node.timeout_ms, node.deadline_ms - spent)
    return msgspec.structs.replace(ask, timeout_ms=max(left, 1))


def backoff_ms(node: PlannedNode, attempt: int, spent: int, reply: Reply) -> int | None:
    """The pause (ms) before the ask is retried, or None when the reply is final.

    A pause that the target asks for (`Retry-After`) is kept if the deadline allows it; else there is no retry.
    """
    if not isinstance(reply, NoAnswer) or not reply.retriable or attempt > node.retry.times:
        return None
    if reply.retry_after_ms > MAX_BACKOFF_MS:
        return None
    delay = max(min(node.retry.backoff_ms << (attempt - 1), MAX_BACKOFF_MS), reply.retry_after_ms)
    return delay if node.deadline_ms is None or spent + delay < node.deadline_ms else None


def ask_limit_reason(node: PlannedNode, number: int, spent: int) -> str:
    """The reason why a node that has issued `number` asks may issue no more; empty when it may."""
    if number >= MAX_ASKS:
        return f"it asked more than {MAX_ASKS} times"
    if node.deadline_ms is not None and spent >= node.deadline_ms:
        return f"its deadline of {show_duration(node.deadline_ms)} has passed"
    return ""

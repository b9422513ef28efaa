"""Flows whose look-ups may take longer than the sender of an event waits for its answer."""

from collections.abc import Iterable, Iterator
from math import ceil

from engine.flow.plan import Flow, PlannedNode
from engine.flow.retry import MAX_BACKOFF_MS
from engine.language.duration import show_duration
from engine.problem import Problem
from engine.project.source import Source
from flows.address import asks_outside

NO_SENDER: tuple[int, tuple[PlannedNode, ...]] = (-1, ())
ROUND_MS = 100  # a deadline that is proposed is a multiple of this


def late_look_ups(flow: Flow, sources: Iterable[Source]) -> Iterator[Problem]:
    """Yield a problem if look-ups on one path take longer, at the worst, than the most impatient source waits."""
    budgets = [s for s in sources if s.enabled and flow.trigger.matches_source(s.source)]
    if not budgets or flow.trigger.schedule is not None:
        return
    source = min(budgets, key=lambda s: (s.answer_within, s.source))
    total, path = slowest_path(flow)
    if total <= source.answer_within:
        return
    names = ", ".join(f"`{node.id}`" for node in path)
    one = len(path) == 1
    yield Problem(
        code="H438",
        message=f"the look-up{'' if one else 's'} {names} may take {_seconds(total)}{'' if one else ' in all'}, and "
        f"`{source.source}` waits {_seconds(source.answer_within)} for an answer: what is not answered by then "
        "leaves by `failed`",
        path=("nodes", path[-1].id),
        on="key",
        help=_remedy(path, source),
        severity="warning",
    )


def slowest_path(flow: Flow) -> tuple[int, tuple[PlannedNode, ...]]:
    """Return the longest time (ms) that look-ups of one path may take, and these look-ups in their order.

    Behind a node that waits, no sender waits any more.
    """
    slowest: list[tuple[int, tuple[PlannedNode, ...]]] = []  # up to each node, with it
    for node in flow.nodes:  # in the order of the plan: the sources of a node come before it
        before = max((slowest[source] for source, _ in node.ins), key=lambda path: path[0], default=(0, ()))
        took = longest_ms(node)
        slowest.append((before[0] + took, (*before[1], node)) if took else before)
        if node.node.waits or before[0] < 0:
            slowest[-1] = NO_SENDER
    return max(slowest, key=lambda path: path[0], default=(0, ()))


def longest_ms(node: PlannedNode) -> int:
    """Return how long (ms) a node may wait for a target, with all its retries; 0 if it calls none.

    A loop counts as one turn: how many it makes is not known before an event comes.
    """
    if node.body is not None and not node.disabled:
        return slowest_path(node.body.flow)[0]
    if node.disabled or not asks_outside(node.node):
        return 0
    pauses = sum(min(node.retry.backoff_ms << n, MAX_BACKOFF_MS) for n in range(node.retry.times))
    longest = node.timeout_ms * (node.retry.times + 1) + pauses
    return longest if node.deadline_ms is None else min(longest, node.deadline_ms)


def _remedy(path: tuple[PlannedNode, ...], source: Source) -> str:
    share = max(source.answer_within // len(path) // ROUND_MS * ROUND_MS, min(source.answer_within, ROUND_MS))
    where = "" if len(path) == 1 else " at each of them"
    needed = ceil(sum(map(longest_ms, path)) / 1000) * 1000
    raised = f", or `answer_within: {needed}` in the source" if needed <= 60_000 else ""
    shorter = f"shorter timeouts and fewer retries{raised}"
    if any(node.body is not None for node in path):  # a loop has no deadline
        return f"write {shorter}"
    return f"write `deadline: {show_duration(share)}`{where}, or {shorter}"


def _seconds(ms: int) -> str:
    return f"{ms / 1000:g} s"

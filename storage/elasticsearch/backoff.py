"""Pauses between tries: exponential, capped, with jitter, so that processes do not retry together."""

import random
from asyncio import get_running_loop, sleep

from engine.ports.backoff import BackoffFormula

BACKOFF = BackoffFormula(first=0.05, longest=2.0)


class Backoff:
    """The tries of one thing: `await next()` before each but the first, as long as `left`."""

    def __init__(self, budget: float) -> None:
        self._until = get_running_loop().time() + budget
        self._tries = 0

    @property
    def left(self) -> bool:
        """Whether another try is to be made."""
        return get_running_loop().time() < self._until

    async def next(self) -> None:
        """Wait before the next try, which is made at the end of the budget at the latest."""
        left = self._until - get_running_loop().time()
        await sleep(min(pause(self._tries), max(left, 0)))
        self._tries += 1


def pause(tries: int) -> float:
    """How many seconds to wait after that many tries."""
    return BACKOFF.pause(tries + 1, random.random())  # noqa: S311 - it only spreads retries

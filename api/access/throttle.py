"""Slowing down those who guess keys."""

import asyncio

from api.problem import HttpProblem

PAUSE = 0.25  # seconds from one answer to a wrong key to the next
MAX_DELAY = 10.0  # seconds that an answer to a wrong key waits at most; beyond that, 429


class WrongKeys:
    """Has the answers to wrong keys wait: they leave one after another, a `PAUSE` apart.

    This holds for those of several clients together: behind a proxy, all clients have one address. At most
    `MAX_DELAY / PAUSE` of them wait.
    """

    def __init__(self) -> None:
        self._next_answer = 0.0  # when the newest waiting request is answered, in the event loop's time

    async def wait_turn(self) -> None:
        """Return when it is the turn of this answer. Raises `HttpProblem` (429) when too many wait."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next_answer) + PAUSE
        if turn - now > MAX_DELAY:
            retry = {"Retry-After": str(round(MAX_DELAY))}
            raise HttpProblem(429, "too many requests with a wrong key: send the right one, later", retry)
        self._next_answer = turn
        await asyncio.sleep(turn - now)

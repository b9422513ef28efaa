"""Trials: many random histories, each on a simulation of its own; one that fails is reported as short as it gets."""

import asyncio
import random
from collections.abc import Callable

from tests.identity.history import History, play, random_history, shortest
from tests.identity.simulation import Simulation


class Trial:
    """Plays histories, each in a simulation that `begin` makes for its number. They are the same for the same seed."""

    def __init__(self, begin: Callable[[int, History], Simulation], seed: int) -> None:
        self._begin = begin
        self._seed = seed

    async def many(self, histories: range, side_by_side: int = 1) -> None:
        """Try histories, some of them at the same time."""
        numbers = iter(histories)

        async def one_by_one() -> None:
            for number in numbers:
                await self.one(number)

        async with asyncio.TaskGroup() as group:
            for _ in range(side_by_side):
                group.create_task(one_by_one())

    async def one(self, number: int, history: History | None = None) -> None:
        """Try a history, or that of a number; if it fails, report the shortest history that fails."""
        history = history or random_history(random.Random(f"{self._seed} {number}"))
        error = await self._wrong(number, history)
        if error is not None:
            short = await shortest(history, lambda shorter: self._fails(number, shorter))
            batches = "\n".join(map(str, short.batches))
            again = await self._wrong(number, short)
            raise AssertionError(f"history {number} of seed {self._seed} fails by\n{batches}") from again or error

    async def _fails(self, number: int, history: History) -> bool:
        return await self._wrong(number, history) is not None

    async def _wrong(self, number: int, history: History) -> Exception | None:
        try:
            await play(lambda: self._begin(number, history), history)
        except Exception as error:  # noqa: BLE001  # reported once the history is as short as possible
            return error
        return None

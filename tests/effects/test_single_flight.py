import asyncio
from contextlib import suppress

from effects.single_flight import SingleFlight
from engine.flow.ask import HttpReply, Reply


class Call:
    """A call without an end, which notes how it is broken off, and then still takes some turns of the loop."""

    def __init__(self, turns: int = 0) -> None:
        self._turns = turns
        self.began = asyncio.Event()
        self.broken_off = False

    async def __call__(self) -> Reply:
        self.began.set()
        try:
            return await asyncio.Future()
        except asyncio.CancelledError:
            self.broken_off = True
            for _ in range(self._turns):
                await asyncio.sleep(0)
            raise


async def test_a_call_is_broken_off_with_its_last_caller_and_not_before() -> None:
    flights, call = SingleFlight(), Call()
    first, last = (asyncio.create_task(flights.reply("key", call)) for _ in range(2))
    await call.began.wait()
    for caller, broken_off in ((first, False), (last, True)):
        caller.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(caller, 5)
        assert call.broken_off == broken_off
    assert len(flights) == 0


async def test_a_call_that_is_broken_off_does_not_end_the_one_that_began_after_it() -> None:
    flights, old = SingleFlight(), Call(turns=9)
    caller = asyncio.create_task(flights.reply("key", old))
    await old.began.wait()
    caller.cancel()
    await asyncio.sleep(0)  # the old call is forgotten, and not ended yet
    gate = asyncio.Event()

    async def new() -> Reply:
        await gate.wait()
        return HttpReply(200)

    first = asyncio.create_task(flights.reply("key", new))
    await asyncio.sleep(0)
    with suppress(asyncio.CancelledError):
        await caller
    assert len(flights) == 1
    gate.set()
    assert await first == HttpReply(200)

import asyncio
from contextlib import suppress

from effects.clock import ManualClock
from effects.target_turns import TargetTurns
from engine.project.source import Target


async def test_a_look_up_that_is_broken_off_just_as_its_turn_comes_leaves_it_to_the_next() -> None:
    turns = TargetTurns(Target(url="https://crm.example", concurrency=1), ManualClock())
    assert await turns.begin() == ""
    second, third = asyncio.create_task(turns.begin()), asyncio.create_task(turns.begin())
    await asyncio.sleep(0)
    turns.end(failed=False)
    second.cancel()
    with suppress(asyncio.CancelledError):
        await second
    assert second.cancelled()
    assert await asyncio.wait_for(third, 5) == ""

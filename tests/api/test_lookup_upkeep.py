"""The answers that a process keeps go when any process forgets a profile."""

from api.lookup_upkeep import LookupUpkeep
from effects.clock import ManualClock
from effects.scripted import ScriptedPerformer
from effects.shared_lookups import SharedLookups
from engine.flow.ask import HttpReply
from engine.tracking.operations.forgetting import Forgetter
from storage.memory import MemoryStore
from tests.effects.calls import call
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project

ASKED = call("crm", "GET", "/ann@example.com", cache_ms=60_000)


async def test_answers_are_kept_until_any_process_forgets_a_profile() -> None:
    store, clock, crm = MemoryStore(), ManualClock(), ScriptedPerformer().on("crm", "*", HttpReply(200, {}))
    lookups = SharedLookups(crm, clock)
    upkeep = LookupUpkeep(lookups, store)
    other = Collector(project(), store)
    answer = await other.track(payload("page-view"))
    await upkeep.tend()
    for _ in range(2):
        await lookups.perform(ASKED)
        await upkeep.tend()
    assert len(crm.calls) == 1

    forgetter = Forgetter(store, other.clock, other.pipeline, quiet_ms=0, pause=0)
    await forgetter.finish(await forgetter.begin(answer["profile"]["id"], "f-1"))
    await upkeep.tend()
    await lookups.perform(ASKED)
    assert len(crm.calls) == 2


async def test_answers_that_are_too_old_are_dropped() -> None:
    clock = ManualClock()
    lookups = SharedLookups(ScriptedPerformer().on("crm", "*", HttpReply(200, {})), clock)
    await lookups.perform(ASKED)
    upkeep = LookupUpkeep(lookups, MemoryStore())
    await upkeep.tend()
    await lookups.perform(ASKED)
    assert lookups.kept == 1
    clock.advance(60_000)
    await upkeep.tend()
    assert lookups.kept == 0

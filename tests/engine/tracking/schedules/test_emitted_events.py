"""Events that scheduled flows emit: each is a unit of its own, once, and may attach a profile by a key."""

from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import SELF, StoredDelivery, queue_of
from engine.ports.store import Store
from engine.tracking.operations.own_events import track_own
from tests.engine.tracking.schedules.process import MINUTE, Process, started
from tests.projects import payload, project

START = 1_767_225_600_000
SYNC = """
    flow: sync
    trigger: {every: 10m}
    nodes:
      say: {event.emit: {type: tier-changed, properties: {email: ann@example.com, tier: gold}}}
"""
TIER = """
    flow: tier
    trigger: {event: tier-changed}
    nodes:
      who: {profile.attach: {key: {pii.email: "{{ event.properties.email }}"}}, next: {attached: set, missing: none}}
      set: {profile.increment: {traits.changes: 1}, next: tier}
      tier: {profile.set: {traits.tier: "{{ event.properties.tier }}"}}
      none: {log: no profile has this key}
"""
LOGIN = (
    'flow: login\ntrigger: {event: login}\nnodes: {who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}}\n'
)
AGAIN = "flow: again\ntrigger: {event: tier-changed}\nnodes: {say: {event.emit: {type: tier-changed}}}\n"


async def own(process: Process) -> list[StoredDelivery]:
    return await process.store.due_records(DELIVERIES, process.clock.now(), 100, queue_of(SELF))


async def test_an_emitted_event_reaches_the_person_who_has_proven_the_key(store: Store) -> None:
    process = await started(project(SYNC, TIER, LOGIN), store, "a", START)
    login = {"type": "login", "properties": {"email": "ann@example.com"}}
    id = (await process.track(payload(login)))["profile"]["id"]
    await process.turn(10 * MINUTE)
    (delivery,) = await own(process)
    assert (await track_own(process.pipeline, delivery)).verdict == "sent"
    assert (await process.profile(id))["traits"]["tier"] == "gold"


async def test_an_event_that_is_sent_again_takes_effect_once(store: Store) -> None:
    process = await started(project(SYNC, TIER, LOGIN), store, "a", START)
    login = {"type": "login", "properties": {"email": "ann@example.com"}}
    id = (await process.track(payload(login)))["profile"]["id"]
    await process.turn(10 * MINUTE)
    (delivery,) = await own(process)
    for _ in range(3):
        assert (await track_own(process.pipeline, delivery)).verdict == "sent"
    assert (await process.profile(id))["traits"]["changes"] == 1


async def test_the_depth_of_events_goes_on_beyond_the_firing(store: Store) -> None:
    process = await started(project(SYNC, AGAIN), store, "a", START)
    await process.turn(10 * MINUTE)
    (delivery,) = await own(process)
    assert delivery.message.depth == 1  # type: ignore[union-attr]  # it is an event
    await track_own(process.pipeline, delivery)
    event = await process.store.event(delivery.id)
    assert event is not None
    assert (event.origin, event.profile, event.source) == ("flow", None, "headrace")

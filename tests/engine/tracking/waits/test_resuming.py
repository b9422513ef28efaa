"""Runs that wait, through the whole pipeline: paused, resumed, heard, restarted, ended."""

from typing import Any

import pytest
from msgspec import structs

from effects.scripted import ScriptedPerformer
from engine.flow.ask import HttpReply
from engine.ports.kinds import ARRIVALS, SEARCHABLE, WAITS
from engine.ports.records import RecordDelete, RunRecord, Unit
from engine.ports.store import Conflict, Store
from engine.profile.document import Profile
from engine.project.source import Target
from engine.search.query import Query
from engine.tracking.waits.resuming import Resuming, resume
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.projects import SHOP, project

HOUR = 3_600_000
CART = """
flow: cart
trigger: {event: cart-updated}
while_waiting: POLICY
keep: 1
nodes:
  mark:
    profile.increment: {traits.carts: 1}
    next: bought
  bought:
    wait.for: {event: order-completed, when: awaited.properties.cart == event.properties.cart}
    timeout: 2h
    next: {arrived: thank, timeout: remind}
  thank:
    profile.set: {traits.thanked: "{{ nodes.bought.out.properties.order }}"}
  remind:
    event.emit:
      type: reminded
      properties: {cart: "{{ event.properties.cart }}", tier: "{{ profile.traits.tier | default('none') }}"}
"""
SET = "{flow: set, trigger: {event: set}, nodes: {set: {profile.set: {traits.tier: $.event.properties.tier}}}}"
COUNT = "{flow: count, trigger: {event: reminded}, nodes: {add: {profile.increment: {traits.reminders: 1}}}}"
NOW = """
flow: now
trigger: {event: go}
while_waiting: parallel
nodes: {nap: {wait: 0s, next: add}, add: {profile.increment: {traits.went: 1}}}
"""
TWICE = """
flow: twice
trigger: {event: begin}
while_waiting: parallel
nodes:
  one: {wait: 1h, next: first}
  first: {profile.increment: {traits.first: 1}, next: two}
  two: {wait: 1h, next: second}
  second: {profile.increment: {traits.second: 1}}
"""


def cart(policy: str = "restart") -> str:
    return CART.replace("POLICY", policy)


def shop(*flows: str, store: Store | None = None) -> Collector:
    return Collector(project(*(flows or (cart(), SET, COUNT))), store or MemoryStore())


async def send(collector: Collector, type: str, session: str = "s-1", **properties: Any) -> dict[str, Any]:
    event = {"type": type, "properties": properties}
    return await collector.track({"source": {"id": "shop"}, "session": {"id": session}, "events": [event]})


async def stored(collector: Collector, answer: dict[str, Any]) -> Profile:
    profile = await collector.store.profile(answer["profile"]["id"])
    assert profile is not None
    return profile


async def traits(collector: Collector, answer: dict[str, Any]) -> dict[str, Any]:
    return (await collector.profile(answer["profile"]["id"]))["traits"]


async def later(collector: Collector, answer: dict[str, Any], ms: int) -> int:
    """Resume what is ripe so much later. Returns how many runs went on or ended."""
    collector.clock.advance(ms)
    return await resume(collector.pipeline, answer["profile"]["id"])


def runs(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [run for event in answer["debugging"]["execution"].values() for run in event["runs"] if "flow" in run]


async def records(collector: Collector) -> list[RunRecord]:
    """The stored runs of the flow `cart`."""
    page = await collector.store.search(Query(SEARCHABLE["runs"]), 100)
    return [run for run in page.items if isinstance(run, RunRecord) and run.flow == "cart"]


async def outcomes(collector: Collector) -> list[str]:
    return sorted(run.outcome for run in await records(collector))


async def test_a_run_that_waits_is_paused_with_its_effects_in_the_unit():
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    profile = await stored(collector, answer)
    (stub,) = profile.waits
    (run,) = [run for run in runs(answer) if run["outcome"] == "paused"]
    record = await collector.store.record(WAITS, stub.id)
    assert await traits(collector, answer) == {"carts": 1}
    assert (stub.due, profile.due, stub.on) == (stub.began + 2 * HOUR, stub.due, ("order-completed",))
    assert run["waits"]["node"] == "bought"
    assert run["waits"]["for"] == ["order-completed"]
    assert run["waits"]["run"] == stub.run
    assert record is not None
    assert b"traits" not in bytes(record.run)


async def test_a_run_goes_on_when_its_time_has_come_with_the_profile_as_it_is_then():
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    await send(collector, "set", tier="gold")
    assert await later(collector, answer, 2 * HOUR - 1) == 0
    assert await later(collector, answer, 1) == 1
    events = await collector.store.events_of(answer["profile"]["id"], 9)
    (reminded,) = [event for event in events if event.type == "reminded"]
    assert reminded.properties == {"cart": 7, "tier": "gold"}
    assert await traits(collector, answer) == {"carts": 1, "reminders": 1, "tier": "gold"}
    assert (await stored(collector, answer)).waits == ()
    assert (await stored(collector, answer)).due is None


async def test_a_run_that_has_ended_leaves_no_records_and_is_not_resumed_again():
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    (stub,) = (await stored(collector, answer)).waits
    assert await later(collector, answer, 2 * HOUR) == 1
    assert await later(collector, answer, 2 * HOUR) == 0
    assert await collector.store.record(WAITS, stub.id) is None


async def test_an_event_that_arrives_resumes_the_run_right_after_its_commit():
    collector = shop()
    resuming = Resuming(collector.pipeline)
    answer = await send(collector, "cart-updated", cart=7)
    heard = await send(collector, "order-completed", cart=7, order="o-1")
    await resuming.idle()
    assert await traits(collector, answer) == {"carts": 1, "thanked": "o-1"}
    assert [run["resumed"] for run in runs(heard) if "resumed" in run] == [runs(answer)[0]["waits"]["run"]]
    assert (await stored(collector, answer)).waits == ()
    await resuming.close()


async def test_an_event_that_arrived_before_a_crash_is_found_by_the_timer():
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    await send(collector, "order-completed", cart=7, order="o-1")
    (stub,) = (await stored(collector, answer)).waits
    assert stub.arrived
    assert await collector.store.record(ARRIVALS, f"{stub.id}.a") is not None
    assert await later(collector, answer, 9 * HOUR) == 1
    assert await traits(collector, answer) == {"carts": 1, "thanked": "o-1"}
    assert await collector.store.record(ARRIVALS, f"{stub.id}.a") is None


@pytest.mark.parametrize(
    ("type", "session", "properties"),
    [
        pytest.param("order-completed", "s-1", {"cart": 8}, id="the condition is false"),
        pytest.param("order-begun", "s-1", {"cart": 7}, id="another type"),
        pytest.param("order-completed", "s-2", {"cart": 7}, id="another person"),
    ],
)
async def test_an_event_that_is_not_awaited_changes_nothing(type, session, properties):
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    await send(collector, type, session, **properties)
    assert not (await stored(collector, answer)).waits[0].arrived


async def test_an_event_at_the_time_is_too_late():
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    collector.clock.advance(2 * HOUR)
    await send(collector, "order-completed", cart=7, order="o-1")
    assert await later(collector, answer, 0) == 1
    assert "thanked" not in await traits(collector, answer)


async def test_a_wait_of_no_time_goes_on_without_the_sender():
    collector = shop(NOW)
    resuming = Resuming(collector.pipeline)
    answer = await send(collector, "go")
    assert [run["outcome"] for run in runs(answer)] == ["paused"]
    await resuming.idle()
    assert await traits(collector, answer) == {"went": 1}
    await resuming.close()


async def test_a_run_may_wait_again():
    collector = shop(TWICE)
    answer = await send(collector, "begin")
    assert await later(collector, answer, HOUR) == 1
    (stub,) = (await stored(collector, answer)).waits
    assert (stub.n, await traits(collector, answer)) == (2, {"first": 1})
    assert await later(collector, answer, HOUR) == 1
    assert await traits(collector, answer) == {"first": 1, "second": 1}


async def test_a_run_does_not_hear_the_event_in_whose_turn_it_began_but_the_next_one_of_the_payload():
    text = cart().replace("{event: cart-updated}", "{event: order-completed}").replace("restart", "parallel")
    collector = shop(text)
    events = [{"type": "order-completed", "properties": {"cart": 7, "order": f"o-{i}"}} for i in (1, 2)]
    answer = await collector.track({"source": {"id": "shop"}, "session": {"id": "s-1"}, "events": events})
    assert [stub.arrived for stub in (await stored(collector, answer)).waits].count(True) == 1
    assert await later(collector, answer, 0) == 1
    assert await traits(collector, answer) == {"carts": 2, "thanked": "o-2"}


async def test_a_new_event_restarts_a_run_that_waits():
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    (first,) = (await stored(collector, answer)).waits
    collector.clock.advance(HOUR)
    again = await send(collector, "cart-updated", cart=8)
    (second,) = (await stored(collector, answer)).waits
    assert first.run != second.run
    assert await collector.store.record(WAITS, first.id) is None
    assert await later(collector, answer, HOUR) == 0
    assert await outcomes(collector) == ["cancelled", "paused", "paused"]
    assert {run["outcome"] for run in runs(again)} == {"paused"}


async def test_a_new_event_begins_no_run_while_one_waits():
    collector = shop(cart("ignore"))
    await send(collector, "cart-updated", cart=7)
    answer = await send(collector, "cart-updated", cart=8)
    (run,) = runs(answer)
    assert run["outcome"] == "filtered"
    assert "waits since" in run["reason"]["why"]
    assert len((await stored(collector, answer)).waits) == 1


async def test_runs_of_one_flow_wait_side_by_side():
    collector = shop(cart("parallel"), COUNT)
    for number in range(3):
        answer = await send(collector, "cart-updated", cart=number)
    assert await later(collector, answer, 2 * HOUR) == 3
    assert await traits(collector, answer) == {"carts": 3, "reminders": 3}


async def test_a_ripe_run_is_not_restarted():
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    collector.clock.advance(2 * HOUR)
    await send(collector, "cart-updated", cart=8)
    assert len((await stored(collector, answer)).waits) == 2
    assert await later(collector, answer, 0) == 1
    assert (await traits(collector, answer))["reminders"] == 1


async def test_a_profile_has_at_most_32_runs_that_wait():
    collector = shop(cart("parallel"))
    for number in range(32):
        await send(collector, "cart-updated", cart=number)
    answer = await send(collector, "cart-updated", cart=99)
    (run,) = runs(answer)
    assert run["outcome"] == "failed"
    assert "32" in run["reason"]
    assert len((await stored(collector, answer)).waits) == 32


async def test_a_run_that_is_too_large_does_not_wait():
    lets = "".join(f'  l{i}: {{let: {{text: "$.event.properties.text"}}, next: l{i + 1}}}\n' for i in range(6))
    large = cart().replace("nodes:\n", f"nodes:\n{lets}  l6: {{log: done, next: mark}}\n")
    answer = await send(shop(large), "cart-updated", cart=7, text="x" * 50_000)
    (run,) = runs(answer)
    assert (run["outcome"], "bytes" in run["reason"]) == ("failed", True)


async def test_an_event_without_a_profile_does_not_wait():
    event = {"type": "cart-updated", "properties": {"cart": 7}}
    body = {"source": {"id": "shop"}, "session": {"id": "s-1"}, "events": [event]}
    text = cart().replace("  mark:\n    profile.increment: {traits.carts: 1}\n    next: bought\n", "")
    collector = shop(text)
    answer = await collector.track(body, profile_less=True)
    (run,) = runs(answer)
    assert (run["outcome"], "no profile" in run["reason"]) == ("failed", True)


async def test_a_run_goes_on_with_the_version_that_it_began_with():
    store = MemoryStore()
    collector = shop(cart(), COUNT, store=store)
    answer = await send(collector, "cart-updated", cart=7)
    changed = cart().replace("type: reminded", "type: other")
    collector.pipeline.use(project(changed, COUNT))
    assert await later(collector, answer, 2 * HOUR) == 1
    assert (await traits(collector, answer))["reminders"] == 1


@pytest.mark.parametrize(
    ("after", "outcome", "reason"),
    [
        pytest.param(project(SET), "cancelled", "no flow `cart`", id="the flow is gone"),
        pytest.param(
            structs.replace(project(cart().replace("2h", "3h")), compile_text=lambda text: "H111: unknown node type"),
            "failed",
            "H111",
            id="its version no longer compiles",
        ),
        pytest.param(
            project(cart(), sources=(structs.replace(SHOP, source="other"),)), "failed", "no source", id="no source"
        ),
    ],
)
async def test_a_run_that_cannot_go_on_ends_with_the_reason(after, outcome, reason):
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    collector.pipeline.use(after)
    assert await later(collector, answer, 2 * HOUR) == 1
    assert (await stored(collector, answer)).waits == ()
    (record,) = [run for run in await records(collector) if run.outcome == outcome]
    assert reason in bytes(record.trace).decode()


async def test_a_lost_record_ends_the_run_as_failed():
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    (stub,) = (await stored(collector, answer)).waits
    await collector.store.commit(Unit(changes=(deletion(stub.id),)))
    assert await later(collector, answer, 2 * HOUR) == 1
    assert (await stored(collector, answer)).waits == ()


class LateStore(MemoryStore):
    """A store in which a commit has left the record of a waiting run to write, until its profile is loaded."""

    missed = False

    async def record(self, kind: Any, id: str) -> Any:
        if kind is WAITS and not self.missed:
            self.missed = True
            self.loaded = False
        return await super().record(kind, id) if kind is not WAITS or self.loaded else None

    async def profile(self, id: str) -> Any:
        self.loaded = True
        return await super().profile(id)


async def test_a_record_that_was_not_written_yet_is_found_once_its_profile_is_loaded():
    collector = shop(store=LateStore())
    answer = await send(collector, "cart-updated", cart=7)
    assert await later(collector, answer, 2 * HOUR) == 1
    assert "failed" not in await outcomes(collector)
    assert (await traits(collector, answer))["reminders"] == 1


async def test_runs_go_on_in_the_order_of_their_times():
    slow, fast = (
        f"{{flow: {name}, trigger: {{event: {name}}}, while_waiting: parallel, nodes: "
        f"{{nap: {{wait: {wait}, next: set}}, set: {{profile.set: {{traits.last: {name}}}}}}}}}"
        for name, wait in (("slow", "2h"), ("fast", "1h"))
    )
    collector = shop(slow, fast)
    await send(collector, "slow")
    collector.clock.advance(1)
    answer = await send(collector, "fast")
    assert await later(collector, answer, 3 * HOUR) == 2
    assert (await traits(collector, answer))["last"] == "slow"


async def test_a_lost_record_does_not_hinder_a_restart():
    collector = shop()
    answer = await send(collector, "cart-updated", cart=7)
    (stub,) = (await stored(collector, answer)).waits
    await collector.store.commit(Unit(changes=(deletion(stub.id),)))
    await send(collector, "cart-updated", cart=8)
    assert len((await stored(collector, answer)).waits) == 1


def deletion(id: str) -> Any:
    return RecordDelete(WAITS, id, 1)


class Conflicting(MemoryStore):
    """A store in which another process is first, for the next commits."""

    conflicts = 0

    async def commit(self, unit: Unit) -> None:
        """Raise `Conflict`, so many times."""
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("profile", "p")
        await super().commit(unit)


async def test_a_conflict_resumes_the_run_once():
    store = Conflicting()
    collector = shop(store=store)
    answer = await send(collector, "cart-updated", cart=7)
    store.conflicts = 3
    assert await later(collector, answer, 2 * HOUR) == 1
    assert (await traits(collector, answer))["reminders"] == 1


async def test_a_run_that_always_conflicts_is_put_off_by_five_seconds():
    store = Conflicting()
    collector = shop(store=store)
    answer = await send(collector, "cart-updated", cart=7)
    collector.clock.advance(2 * HOUR)
    store.conflicts, postponed = 24, []
    assert await resume(collector.pipeline, answer["profile"]["id"], postponed.append) == 0
    (stub,) = (await stored(collector, answer)).waits
    assert [each.id for each in postponed] == [stub.id]
    assert stub.due == collector.clock.now() + 5_000
    assert await later(collector, answer, 5_000) == 1


async def test_two_processes_resume_a_run_once():
    store = MemoryStore()
    one, other = shop(store=store), shop(store=store)
    answer = await send(one, "cart-updated", cart=7)
    await send(other, "set", tier="gold")
    other.clock.advance(2 * HOUR)
    one.clock.advance(2 * HOUR)
    id = answer["profile"]["id"]
    assert sorted([await resume(one.pipeline, id), await resume(other.pipeline, id)]) == [0, 1]
    assert (await traits(one, answer))["reminders"] == 1


async def test_events_of_segments_are_made_when_a_run_waits_for_them():
    text = """
    flow: vip
    trigger: {event: begin}
    while_waiting: parallel
    nodes:
      joined: {wait.for: {event: segment-entered, when: awaited.properties.segment == 'gold'}, timeout: 1h, next: note}
      note: {profile.set: {traits.noted: true}}
    """
    store = MemoryStore()
    collector = Collector(project(text, SET, segments={"gold": "profile.traits.tier == 'gold'"}), store)
    answer = await send(collector, "begin")
    await send(collector, "set", tier="gold")
    assert await later(collector, answer, 0) == 1
    assert (await traits(collector, answer))["noted"] is True


async def test_a_flow_asks_again_for_its_consents():
    text = cart().replace("keep: 1", "consents: mail")
    grant = "{flow: agree, trigger: {event: agree}, nodes: {set: {consent.set: {mail: true}}}}"
    revoke = "{flow: revoke, trigger: {event: revoke}, nodes: {set: {consent.set: {mail: false}}}}"
    collector = shop(text, grant, revoke, COUNT)
    await send(collector, "agree")
    answer = await send(collector, "cart-updated", cart=7)
    await send(collector, "revoke")
    assert await later(collector, answer, 2 * HOUR) == 1
    assert await traits(collector, answer) == {"carts": 1}
    assert await outcomes(collector) == ["filtered", "paused"]


async def test_a_repeated_event_is_answered_with_its_stored_runs():
    collector = shop()
    event = {"id": "e-1", "type": "cart-updated", "properties": {"cart": 7}}
    body = {"source": {"id": "shop"}, "session": {"id": "s-1"}, "events": [event]}
    first = await collector.track(body)
    again = await collector.track(body)
    assert [(run["outcome"], run["waits"]) for run in runs(first)] == [
        (run["outcome"], run["waits"]) for run in runs(again)
    ]
    assert len((await stored(collector, first)).waits) == 1


LOOK_UP = """
flow: look
trigger: {event: begin}
while_waiting: parallel
nodes:
  nap: {wait: 1h, next: crm}
  crm: {lookup.http: {target: crm, path: "/{{ profile.traits.tier }}"}, next: {found: keep}}
  keep: {profile.set: {traits.score: "{{ nodes.crm.out.score }}"}}
"""


async def test_a_look_up_of_a_resumed_run_is_asked_once_although_its_unit_conflicts():
    store, performer = Conflicting(), ScriptedPerformer()
    performer.on("crm", "/gold", HttpReply(200, {"score": 7}))
    targets = {"crm": Target(url="https://crm.example")}
    collector = Collector(project(LOOK_UP, SET, targets=targets), store, performer)
    answer = await send(collector, "begin")
    await send(collector, "set", tier="gold")
    store.conflicts = 2
    assert await later(collector, answer, HOUR) == 1
    assert (await traits(collector, answer))["score"] == 7
    assert len(performer.calls) == 1


async def test_a_loop_beside_a_wait_ends_before_the_run_is_put_away():
    text = """
    flow: both
    trigger: {event: begin}
    while_waiting: parallel
    start: [nap, lines]
    nodes:
      nap: {wait: 1h, next: note}
      note: {profile.set: {traits.lines: "{{ nodes.lines.out.count | default(0) }}"}}
      lines:
        each: {in: "$.event.properties.items[*]", do: {add: {profile.increment: {traits.n: 1}}}}
        next: after
      after: {profile.set: {traits.after: true}, next: note}
    """
    collector = shop(text)
    answer = await send(collector, "begin", items=[1, 2, 3])
    assert await traits(collector, answer) == {"n": 3, "after": True}
    assert await later(collector, answer, HOUR) == 1
    assert await traits(collector, answer) == {"n": 3, "after": True, "lines": 3}


async def test_a_restart_makes_room_for_the_new_run_where_the_profile_has_32():
    other = cart("parallel").replace("flow: cart", "flow: other").replace("cart-updated", "other")
    collector = shop(cart(), other)
    await send(collector, "cart-updated", cart=0)
    for number in range(31):
        await send(collector, "other", cart=number)
    answer = await send(collector, "cart-updated", cart=99)
    assert [run["outcome"] for run in runs(answer) if "waits" in run] == ["paused"]
    assert len((await stored(collector, answer)).waits) == 32

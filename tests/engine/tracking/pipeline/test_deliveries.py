"""Deliveries: the records that a unit writes for the messages of its flows, their order, and their limits."""

from typing import Any

import msgspec

from engine.flow.message import HttpMessage
from engine.flow.outbox_room import outbox_room
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery
from engine.ports.records import Unit
from engine.ports.store import Conflict, Store
from engine.project.project import Project, Settings
from engine.project.source import Source, Target
from engine.tracking.unit.outbox import TAIL_MS
from tests.engine.tracking.collector import Collector
from tests.projects import SHOP, payload, project

LATER = 10**15
TARGETS = {"crm": Target(url="https://crm.example"), "erp": Target(url="https://erp.example", shards=4)}
PAID = """
flow: paid
trigger: {event: paid}
nodes:
  tell:
    deliver.http: {target: crm, path: "/orders/{{ event.properties.order }}", headers: {Key: open}, order: profile}
    next: {done: also, failed: also}
  also:
    deliver.http: {target: erp, method: DELETE, path: /, after: 2s}
    next: {failed: end}
  end: {log: over}
"""
AGAIN = PAID.replace("flow: paid", "flow: zagain")


def shop(*flows: str, source: Source = SHOP, settings: Settings | None = None) -> Project:
    return project(*flows, targets=TARGETS, sources=(source,), settings=settings or Settings())


async def track(collector: Collector, order: str, session: str = "s-1", **more: Any) -> dict[str, Any]:
    event = {"type": "paid", "properties": {"order": order}}
    return await collector.track(payload(event, session=session, **more))


async def deliveries(store: Store) -> list[StoredDelivery]:
    return await store.due_records(DELIVERIES, LATER, 100)


class RefusingStore:
    """A store whose first commit of a unit with deliveries conflicts; `refused` are the ids of that unit's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.refused: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, unit: Unit) -> None:
        if unit.changes and not self.refused:
            self.refused = [change.id for change in unit.changes if change.kind is DELIVERIES]  # type: ignore[union-attr]
            raise Conflict("profile", "p")
        await self._store.commit(unit)


async def test_deliveries_are_written_with_the_unit(store: Store) -> None:
    collector = Collector(shop(PAID), store)
    answer = await track(collector, "A/1")
    first, second = await deliveries(store)
    now = collector.clock.now()
    assert (first.target, first.queue, first.flow, first.node, first.mode) == ("crm", "crm/0", "paid", "tell", "live")
    assert first.message == HttpMessage(path="/orders/A%2F1", headers={"Key": "open"})
    assert (first.profile, first.session, first.due) == (answer["profile"]["id"], "s-1", now)
    assert (second.message, second.due, second.after) == (HttpMessage("DELETE"), now + 2_000, ())
    assert second.queue in {f"erp/{shard}" for shard in range(4)}
    assert first.run == second.run != ""


async def test_ordered_deliveries_of_a_profile_name_the_one_before(store: Store) -> None:
    collector = Collector(shop(PAID), store)
    for order in "abc":
        await track(collector, order)
        collector.clock.advance(1)
    await track(collector, "d", session="s-2")
    a, b, c, other = [each for each in await deliveries(store) if each.target == "crm"]
    assert (a.after, b.after, c.after, other.after) == ((), (a.id,), (b.id,), ())
    assert all(each.ordered for each in (a, b, c, other))


async def test_ordered_deliveries_of_one_moment_are_due_one_after_the_other(store: Store) -> None:
    lines = """
    flow: lines
    trigger: {event: paid}
    nodes:
      each: {each: {in: [1, 2, 3], do: {tell: {deliver.http: {target: crm, path: "/{{ item }}", order: profile}}}}}
    """
    collector = Collector(shop(lines), store)
    now = collector.clock.now()
    await track(collector, "a")
    await track(collector, "b")
    made = sorted(await deliveries(store), key=lambda each: each.due)
    assert [each.due for each in made] == [now, now + 1, now + 2, now + 3, now + 4, now + 5]
    assert [each.after for each in made] == [(), *[(each.id,) for each in made[:-1]]]


async def test_a_rerun_after_a_conflict_writes_the_same_ids(store: Store) -> None:
    refusing = RefusingStore(store)
    await track(Collector(shop(PAID, AGAIN), refusing), "a")  # type: ignore[arg-type]  # it is one but for a method
    ids = [each.id for each in await deliveries(store)]
    assert sorted(ids) == sorted(refusing.refused)
    assert len(set(ids)) == 4


async def test_a_run_that_fails_delivers_nothing(store: Store) -> None:
    failing = PAID.replace("next: {failed: end}", "next: {done: boom, failed: end}") + "  boom: {fail: never}\n"
    await track(Collector(shop(failing), store), "a")
    assert await deliveries(store) == []


async def test_the_limit_of_a_unit_holds_for_all_its_flows(store: Store) -> None:
    settings = Settings(outbox=outbox_room(3, 1_000, 10_000))
    answer = await track(Collector(shop(PAID, AGAIN, settings=settings), store), "a")
    written = {(each.flow, each.node) for each in await deliveries(store)}
    assert written == {("paid", "tell"), ("paid", "also"), ("zagain", "tell")}
    step = next(step for step in _steps(answer, "zagain") if step["node"] == "also")
    assert (step["port"], "most_per_unit" in step["error"]) == ("failed", True)


async def test_nothing_is_written_for_a_target_whose_outbox_is_full(store: Store) -> None:
    collector = Collector(shop(PAID), store)
    collector.pipeline.full_targets = frozenset({"crm"})
    answer = await track(collector, "a")
    assert [each.target for each in await deliveries(store)] == ["erp"]
    assert "the outbox of `crm` is full" in _steps(answer, "paid")[0]["error"]


async def test_deliveries_for_a_source_in_test_mode_are_of_that_mode(store: Store) -> None:
    trial = msgspec.structs.replace(SHOP, mode="test")
    await track(Collector(shop(PAID, source=trial), store), "a")
    assert [each.mode for each in await deliveries(store)] == ["test", "test"]


async def test_the_trace_shows_a_delivery_without_its_headers(store: Store) -> None:
    answer = await track(Collector(shop(PAID), store), "a")
    assert [step.get("operations") for step in _steps(answer, "paid")] == [
        [
            {
                "op": "deliver",
                "target": "crm",
                "message": "http",
                "path": "/orders/a",
                "method": "POST",
                "order": "profile",
            }
        ],
        [{"op": "deliver", "target": "erp", "message": "http", "path": "/", "method": "DELETE", "after": "2s"}],
    ]
    assert "open" not in str(answer)


def _steps(answer: dict[str, Any], flow: str) -> list[dict[str, Any]]:
    (execution,) = [each for each in answer["debugging"]["execution"].values() if each["index"] is not None]
    return next(run["steps"] for run in execution["runs"] if run["flow"] == flow)


TELL_OF = """
flow: paid
trigger: {event: paid}
nodes:
  other: {lookup.profile: {id: "{{ event.properties.order }}"}, next: {found: tell}}
  tell: {deliver.http: {target: crm, body: "{{ nodes.other.out }}"}}
"""


async def test_a_delivery_names_the_profiles_that_its_run_has_read_so_that_it_is_erased_with_them(store: Store) -> None:
    collector = Collector(shop(TELL_OF), store)
    other = (await track(collector, "none", session="s-2"))["profile"]["id"]
    await track(collector, other)
    (delivery,) = await deliveries(store)
    assert delivery.other_profiles == (other,)


async def test_an_ordered_delivery_does_not_wait_for_one_of_long_ago(store: Store) -> None:
    collector = Collector(shop(PAID), store)
    await track(collector, "1")
    collector.clock.advance(TAIL_MS - 10_000)
    await track(collector, "2")
    collector.clock.advance(TAIL_MS + 10_000)
    await track(collector, "3")
    first, second, third = sorted([each for each in await deliveries(store) if each.ordered], key=lambda each: each.at)
    assert (first.after, second.after, third.after) == ((), (first.id,), ())

"""Sending over a store, in virtual time: order, retries, breakers, leases, and what becomes of each delivery."""

import asyncio
from functools import wraps
from itertools import pairwise

import pytest
from msgspec import structs

from effects.scripted_courier import ScriptedCourier
from engine.ports.courier import DeliveryResult
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery, queue_of
from engine.ports.records import RecordWrite, Unit
from engine.ports.store import Unavailable
from engine.ports.tombstone import profile_tombstone, write_tombstones
from engine.project.source import Target
from engine.sending.breaker import FAILURES
from engine.sending.changes import DAY_MS, Keeping
from engine.sending.operations import Choice, DeliveryOperations
from storage.memory import MemoryStore
from tests.engine.sending.samples import NOW, sample
from tests.engine.sending.scene import Scene, on_virtual_time

HOUR = 3600
DOWN = DeliveryResult("again", status=503, reason="the target answered 503", health="fails")
DEAD = DeliveryResult("dead", status=422, reason="no such field")
LATER = DeliveryResult("again", status=404, reason="not there yet")


def in_virtual_time(story):
    """Run an asynchronous test on virtual time."""

    @wraps(story)
    def run(*args, **names):
        on_virtual_time(lambda: story(*args, **names))

    return run


def chain(*ids: str, **changes) -> list[StoredDelivery]:
    """Ordered deliveries of one profile: each is sent after the one before."""
    first = [sample(ids[0], profile="ann", **changes)]
    return first + [sample(id, profile="ann", after=(before,), **changes) for before, id in pairwise(ids)]


@in_virtual_time
async def test_what_is_due_is_sent_once_and_marked():
    scene = Scene()
    await scene.write(sample("d1"), sample("d2"))
    await scene.start()
    assert await scene.ended("d1", "d2") <= 2
    assert sorted(scene.courier.ids) == ["d1", "d2"]
    assert (await scene.read("d1")).state == "sent"
    await asyncio.sleep(60)
    assert len(scene.courier.attempts) == 2
    await scene.stop()


@in_virtual_time
async def test_own_commits_are_sent_without_a_search():
    scene = Scene()
    await scene.start()
    await asyncio.sleep(1.5)
    began = scene.clock.ticks()
    await scene.write(sample("d1", due=NOW + 1500), offered=True)
    await asyncio.sleep(0)
    await scene.until(lambda: _attempted(scene, 1), step=0.001)
    assert scene.clock.ticks() - began < 0.1
    await scene.stop()


@in_virtual_time
async def test_own_commits_that_are_due_soon_are_sent_then():
    scene = Scene()
    await scene.start()
    await asyncio.sleep(1.1)
    soon = round(scene.clock.ticks() * 1000) + 300
    await scene.write(sample("d1", due=NOW + soon), offered=True)
    await scene.until(lambda: _attempted(scene, 1), step=0.001)
    assert 0 <= scene.clock.ticks() * 1000 - soon < 10
    await scene.stop()


@in_virtual_time
async def test_a_long_chain_of_one_moment_is_sent_without_putting_off():
    long = [
        structs.replace(each, due=NOW + i) for i, each in enumerate(chain(*(f"{i * 7 % 1501:04}" for i in range(1501))))
    ]
    scene = Scene()
    await scene.write(*long)
    await scene.start()
    await scene.ended(long[-1].id)
    assert scene.courier.ids == [each.id for each in long]
    assert {(await scene.read(each.id)).version for each in long} == {2}
    await scene.stop()


async def _attempted(scene: Scene, count: int) -> bool:
    return len(scene.courier.attempts) >= count


@in_virtual_time
async def test_a_postponed_one_waits_for_its_time():
    scene = Scene()
    await scene.start()
    await scene.write(sample("d1", due=NOW + 600_000), offered=True)
    assert 600 <= await scene.ended("d1") <= 602
    await scene.stop()


@in_virtual_time
async def test_a_chain_is_sent_in_its_order_and_others_pass():
    scene = Scene()
    scene.courier.on("a1", LATER, LATER)
    await scene.write(*reversed(chain("a1", "a2", "a3")), *(sample(f"b{n}") for n in range(20)))
    await scene.start()
    await asyncio.sleep(2)
    assert {f"b{n}" for n in range(20)} <= set(scene.courier.ids)
    assert "a2" not in scene.courier.ids
    await scene.ended("a1", "a2", "a3")
    assert [id for id in scene.courier.ids if id.startswith("a")] == ["a1", "a1", "a1", "a2", "a3"]
    await scene.stop()


@in_virtual_time
async def test_a_dead_letter_does_not_hold_up_those_behind_it():
    scene = Scene()
    scene.courier.on("a1", DEAD)
    await scene.write(*chain("a1", "a2"))
    await scene.start()
    await scene.ended("a1", "a2", seconds=5)
    assert (await scene.state("a1"), await scene.state("a2")) == ("dead", "sent")
    await scene.stop()


@in_virtual_time
async def test_a_blocked_one_is_put_off_until_just_after_the_one_that_it_waits_for():
    scene = Scene()
    scene.courier.on("a1", LATER)
    await scene.write(*chain("a1", "a2"))
    await scene.start()
    await asyncio.sleep(3)
    first, second = await scene.read("a1"), await scene.read("a2")
    assert second.due == first.due + 1
    assert (second.attempts, second.since) == (0, NOW)
    await scene.stop()


@in_virtual_time
async def test_a_blocked_one_is_sent_soon_after_the_one_that_it_waits_for_was_dropped():
    scene = Scene()
    first, second = chain("a1", "a2")
    await scene.write(structs.replace(first, due=NOW + 30 * DAY_MS), second)
    await scene.start()
    await asyncio.sleep(3)
    operations = DeliveryOperations(scene.store, scene.clock, Keeping())
    assert (await operations.change("drop", Choice(("a1",)))).changed == ("a1",)
    await scene.ended("a2", seconds=601)
    await scene.stop()


class LateStore(MemoryStore):
    """A store in which a commit has left a record to write, until its profile is loaded."""

    def __init__(self, left: StoredDelivery) -> None:
        super().__init__()
        self.left: StoredDelivery | None = left
        self.loaded: list[str] = []

    async def profile(self, id):
        self.loaded.append(id)
        if self.left is not None:
            left, self.left = self.left, None
            await self.commit(Unit(changes=(RecordWrite(DELIVERIES, left, 0),)))
        return await super().profile(id)


@in_virtual_time
async def test_a_predecessor_that_was_not_written_yet_is_sent_first():
    first, second = chain("a1", "a2")
    scene = Scene(store=LateStore(first))
    await scene.write(second)
    await scene.start()
    await scene.ended("a2")
    assert scene.courier.ids == ["a1", "a2"]
    await scene.stop()


@in_virtual_time
async def test_a_predecessor_that_was_erased_counts_as_ended():
    scene = Scene()
    await scene.write(chain("a1", "a2")[1])
    await scene.start()
    await scene.ended("a2", seconds=3)
    await scene.stop()


@in_virtual_time
async def test_nothing_is_sent_of_a_person_who_was_forgotten():
    scene = Scene()
    secret = await scene.store.secret()
    await write_tombstones(scene.store, [profile_tombstone(secret, "ann"), profile_tombstone(secret, "bob")])
    await scene.write(sample("d1", profile="ann"), sample("d2", profile="eve", other_profiles=("bob",)), sample("d3"))
    await scene.start()
    await scene.ended("d1", "d2", "d3")
    assert scene.courier.ids == ["d3"]
    assert [await scene.state(id) for id in ("d1", "d2")] == ["gone", "gone"]
    await scene.stop()


@in_virtual_time
async def test_what_an_operator_drops_is_not_sent():
    scene = Scene()
    await scene.write(sample("d1", due=NOW + 5_000))
    await scene.start()
    await asyncio.sleep(4)
    found = await scene.read("d1")
    await scene.write(structs.replace(found, state="dropped", version=2))
    await asyncio.sleep(60)
    assert scene.courier.ids == []
    await scene.stop()


@in_virtual_time
async def test_what_a_target_answers_about_people_is_not_logged():
    scene = Scene()
    said = DeliveryResult("again", 503, "the target answered 503: ann@example.com is unknown", health="fails")
    scene.courier.on("crm", always=said)
    await scene.write(*[sample(f"d{n}") for n in range(FAILURES)])
    await scene.start()
    await asyncio.sleep(60)
    assert [why for _, _, why in scene.opened] == ["it answered 503"] * len(scene.opened) != []
    await scene.stop()


@in_virtual_time
async def test_a_target_that_is_down_for_hours_is_probed_and_then_gets_everything():
    scene = Scene()
    scene.courier.on("crm", always=DOWN)
    ids = [f"d{n}" for n in range(300)]
    await scene.write(*map(sample, ids))
    await scene.start()
    await asyncio.sleep(2 * HOUR)
    attempts = len(scene.courier.attempts)
    assert attempts <= 32 + 2 * 6 + 6, "one batch, then a probe in ten minutes"
    assert scene.opened[0][0] == "crm"
    assert scene.sending is not None
    assert [each.target for each in scene.sending.open_breakers()] == ["crm"]
    scene.courier.works_again("crm")
    await scene.ended(*ids, seconds=4 * HOUR)
    assert {await scene.state(id) for id in ids} == {"sent"}
    assert scene.closed == ["crm"]
    assert scene.sending.open_breakers() == []
    await scene.stop()


@in_virtual_time
async def test_a_target_that_is_down_too_long_leaves_dead_letters_with_their_reason():
    scene = Scene({"crm": Target(url="https://crm.example", give_up="1h")})
    scene.courier.on("crm", always=DOWN)
    await scene.write(sample("d1"))
    await scene.start()
    await scene.ended("d1", seconds=3 * HOUR)
    dead = await scene.read("d1")
    assert dead.state == "dead"
    assert dead.last is not None
    assert dead.last.reason.startswith("given up after 1h and ")
    assert dead.last.reason.endswith("the target answered 503")
    await scene.stop()


class SearchedStore(MemoryStore):
    """Counts the searches of the queue of `crm` alone."""

    def __init__(self) -> None:
        super().__init__()
        self.searches = 0

    async def due_records(self, kind, before, limit, queue=None):
        self.searches += queue == queue_of("crm")
        return await super().due_records(kind, before, limit, queue)


@in_virtual_time
async def test_a_backlog_is_not_read_again_each_second_while_a_rate_holds_it_up():
    store = SearchedStore()
    scene = Scene({"crm": Target(url="https://crm.example", rate="2/s")}, store)
    await scene.write(*(sample(f"d{n}") for n in range(400)))
    await scene.start()
    await asyncio.sleep(60)
    assert len(scene.courier.ids) >= 118
    assert store.searches <= 2 * 60 / 5
    await scene.stop()


@in_virtual_time
async def test_after_an_outage_the_number_side_by_side_grows():
    gate = asyncio.Event()
    scene = Scene()
    scene.courier = ScriptedCourier()
    scene.courier.on("crm", *[DOWN] * FAILURES)
    await scene.write(*(sample(f"d{n}") for n in range(FAILURES)))
    await scene.start()
    await asyncio.sleep(5)
    held = scene.courier._gate = gate
    await scene.write(*(sample(f"e{n}") for n in range(50)))
    await asyncio.sleep(60)
    before = len(scene.courier.attempts)
    assert before == FAILURES + 1, "a probe alone"
    held.set()
    await scene.ended(*(f"e{n}" for n in range(50)))
    await scene.stop()


@in_virtual_time
async def test_one_failing_target_does_not_hold_up_another():
    scene = Scene({name: Target(url=f"https://{name}.example") for name in ("crm", "erp")})
    scene.courier.on("crm", always=DOWN)
    await scene.write(
        *(sample(f"c{n}") for n in range(600)),
        *(sample(f"e{n}", target="erp", queue=queue_of("erp")) for n in range(50)),
    )
    await scene.start()
    assert await scene.ended(*(f"e{n}" for n in range(50))) < 5
    await scene.stop()


@in_virtual_time
async def test_requests_keep_to_the_rate():
    scene = Scene({"crm": Target(url="https://crm.example", rate="10/s")})
    times: list[float] = []

    class Timed(ScriptedCourier):
        async def send(self, delivery):
            times.append(scene.clock.ticks())
            return await super().send(delivery)

    scene.courier = Timed()
    await scene.write(*(sample(f"d{n}") for n in range(55)))
    await scene.start()
    assert await scene.ended(*(f"d{n}" for n in range(55))) < 10
    for first, eleventh in zip(times, times[10:], strict=False):
        assert eleventh >= first + 1 - 1e-9
    await scene.stop()


@in_virtual_time
async def test_requests_keep_to_the_concurrency():
    gate = asyncio.Event()
    scene = Scene({"crm": Target(url="https://crm.example", concurrency=3)})
    scene.courier = ScriptedCourier(gate)
    await scene.write(*(sample(f"d{n}") for n in range(10)))
    await scene.start()
    await asyncio.sleep(10)
    assert len(scene.courier.attempts) == 3
    gate.set()
    await scene.ended(*(f"d{n}" for n in range(10)))
    await scene.stop()


@in_virtual_time
async def test_a_backlog_is_sent_without_waiting_for_the_next_second():
    scene = Scene()
    ids = [f"d{n}" for n in range(2000)]
    await scene.write(*map(sample, ids))
    await scene.start()
    assert await scene.ended(*ids) < 5
    assert sorted(scene.courier.ids) == sorted(ids)
    await scene.stop()


@in_virtual_time
async def test_records_of_ended_ones_are_deleted_when_they_are_due():
    scene = Scene()
    scene.courier.on("d2", DEAD)
    await scene.write(sample("d1"), sample("d2"))
    await scene.start()
    await scene.ended("d1", "d2")
    scene.clock.jump = 7 * DAY_MS
    await asyncio.sleep(5)
    assert (await scene.state("d1"), await scene.state("d2")) == ("gone", "dead")
    scene.clock.jump = 30 * DAY_MS
    await asyncio.sleep(5)
    assert await scene.state("d2") == "gone"
    await scene.stop()


# ---- several processes ----------------------------------------------------------------------------------------------


@in_virtual_time
async def test_two_processes_send_each_delivery_once():
    one = Scene()
    two = one.beside()
    await one.write(*(sample(f"d{n}") for n in range(100)))
    await asyncio.gather(one.start("one"), two.start("two"))
    await one.ended(*(f"d{n}" for n in range(100)))
    assert sorted(one.courier.ids + two.courier.ids) == sorted(f"d{n}" for n in range(100))
    await one.stop()
    await two.stop()


@in_virtual_time
async def test_a_clean_stop_leaves_the_queue_to_the_other_process_at_once():
    one = Scene()
    two = one.beside()
    await one.start("one")
    await asyncio.sleep(3)
    await two.start("two")
    await asyncio.sleep(7)
    await one.stop()
    began = one.clock.ticks()
    await one.write(sample("d1", due=NOW))
    assert await one.ended("d1") - began < 8
    assert two.courier.ids == ["d1"]
    await two.stop()


@in_virtual_time
async def test_another_process_takes_over_from_one_that_was_killed():
    one = Scene()
    two = one.beside()
    await one.start("one")
    await asyncio.sleep(3)
    await two.start("two")
    await asyncio.sleep(7)
    await one.kill()
    began = one.clock.ticks()
    await one.write(sample("d1"))
    assert 9 < await one.ended("d1") - began < 30
    assert two.courier.ids == ["d1"]
    await two.stop()


@in_virtual_time
async def test_a_store_of_one_process_needs_no_waiting_after_a_kill():
    one = Scene()
    two = one.beside()
    await one.start("one", sole=True)
    await asyncio.sleep(3)
    await one.kill()
    await one.write(sample("d1"))
    began = one.clock.ticks()
    await two.start("two", sole=True)
    assert await one.ended("d1") - began <= 2
    await two.stop()


@in_virtual_time
async def test_processes_share_the_queues():
    targets = {f"t{n}": Target(url="https://t.example") for n in range(9)}
    one = Scene(targets)
    two = one.beside()
    await asyncio.gather(one.start("one"), two.start("two"))
    await asyncio.sleep(30)
    assert one.sending is not None
    assert two.sending is not None
    held = [len(scene.sending._holding.held) for scene in (one, two) if scene.sending is not None]
    assert sum(held) == 10
    assert min(held) >= 3, held
    await one.stop()
    await two.stop()


@in_virtual_time
async def test_the_successor_goes_on_with_the_open_breaker():
    one = Scene()
    two = one.beside()
    one.courier.on("crm", always=DOWN)
    two.courier.on("crm", always=DOWN)
    await one.write(*(sample(f"d{n}") for n in range(10)))
    await one.start("one")
    await asyncio.sleep(HOUR)
    await one.stop()
    await two.start("two")
    await asyncio.sleep(HOUR / 2)
    assert len(two.courier.attempts) <= 4, "a probe in ten minutes"
    await two.stop()


# ---- failures -------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_process_that_dies_before_marking_leaves_it_to_be_sent_again_under_its_id():
    one = Scene()
    one.courier = ScriptedCourier(asyncio.Event())
    await one.write(sample("d1"))
    await one.start("one", sole=True)
    await asyncio.sleep(2)
    assert one.courier.ids == ["d1"]
    await one.kill()
    two = one.beside()
    await two.start("two", sole=True)
    await two.ended("d1")
    assert two.courier.ids == ["d1"]
    await two.stop()
    assert one.sending is not None
    await one.sending.close(0)


class AwayStore(MemoryStore):
    """A store that is away while `away` is set."""

    away = False

    async def commit(self, unit):
        if self.away:
            raise Unavailable("away")
        await super().commit(unit)


@in_virtual_time
async def test_what_was_sent_is_marked_as_soon_as_the_store_is_back():
    store = AwayStore()
    scene = Scene(store=store)
    await scene.write(sample("d1"))
    await scene.start()
    store.away = True
    await asyncio.sleep(300)
    assert scene.courier.ids == ["d1"]
    store.away = False
    await scene.ended("d1", seconds=15)
    assert scene.courier.ids == ["d1"]
    assert scene.failures
    await scene.stop()


@in_virtual_time
async def test_a_mark_never_creates_a_record():
    gate = asyncio.Event()
    scene = Scene()
    scene.courier = ScriptedCourier(gate)
    await scene.write(sample("d1", profile="ann"))
    await scene.start()
    await asyncio.sleep(2)
    await scene.store.erase(await scene.store.data_subject(frozenset({"ann"})))
    gate.set()
    await asyncio.sleep(5)
    assert await scene.state("d1") == "gone"
    await scene.stop()


@in_virtual_time
async def test_test_deliveries_do_not_open_the_breaker_of_the_live_target():
    scene = Scene()
    scene.courier.on("t1", always=DOWN)
    await scene.write(*(sample(f"x{n}", mode="test") for n in range(20)))
    for n in range(20):
        scene.courier.on(f"x{n}", DOWN)
    await scene.start()
    await asyncio.sleep(3)
    assert scene.opened == []
    await scene.stop()


# ---- strays ---------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_deliveries_of_a_target_that_is_gone_wait_and_then_are_dead():
    scene = Scene()
    await scene.write(sample("d1", target="old", queue=queue_of("old")))
    await scene.start()
    scene.clock.jump = 2 * DAY_MS
    await asyncio.sleep(200)
    assert await scene.state("d1") == "waiting"
    scene.clock.jump = 3 * DAY_MS
    await scene.ended("d1", seconds=70)
    dead = await scene.read("d1")
    assert dead.last is not None
    assert (dead.state, dead.last.reason) == ("dead", "the project has had no target old for too long")
    scene.clock.jump = 34 * DAY_MS
    await asyncio.sleep(120)
    assert await scene.state("d1") == "gone"
    await scene.stop()


@in_virtual_time
async def test_deliveries_of_a_shard_that_is_gone_are_sent_by_the_first_one():
    scene = Scene()
    await scene.write(sample("d1", queue=queue_of("crm", 3)))
    await scene.start()
    assert await scene.ended("d1") < 70
    assert (await scene.read("d1")).queue == "crm/0"
    await scene.stop()


@pytest.mark.parametrize("shards", [1, 3])
@in_virtual_time
async def test_every_shard_is_sent(shards):
    scene = Scene({"crm": Target(url="https://crm.example", shards=shards)})
    await scene.write(*(sample(f"d{n}", queue=queue_of("crm", n % shards)) for n in range(12)))
    await scene.start()
    await scene.ended(*(f"d{n}" for n in range(12)))
    await scene.stop()


# ---- what changed between the search and the sending -----------------------------------------------------------------


@in_virtual_time
async def test_one_that_was_put_off_after_it_was_found_waits_for_its_time():
    scene = Scene()
    await scene.start()
    await asyncio.sleep(2)
    await scene.write(sample("d1", due=NOW + 600_000))
    scene.sending.committed((RecordWrite(DELIVERIES, sample("d1"), 0),))  # as a search that lags returns it
    await asyncio.sleep(5)
    assert scene.courier.attempts == []
    await scene.ended("d1")
    assert scene.clock.ticks() >= 600
    await scene.stop()


@in_virtual_time
async def test_one_that_moved_to_another_queue_after_it_was_found_is_left_to_that_one():
    scene = Scene()
    await scene.start()
    await asyncio.sleep(2)
    await scene.write(sample("d1", queue="crm/7"))
    scene.sending.committed((RecordWrite(DELIVERIES, sample("d1"), 0),))
    await asyncio.sleep(5)
    assert scene.courier.attempts == []
    await scene.stop()


class SlowStore(MemoryStore):
    """A store in which the records of deliveries are read slowly, and notes cannot be written any more."""

    seconds = 0.0

    async def record(self, kind, id):
        if kind is DELIVERIES:
            await asyncio.sleep(self.seconds)
        return await super().record(kind, id)

    async def replace_note(self, name, doc, expected):
        if self.seconds:
            raise Unavailable("away")
        return await super().replace_note(name, doc, expected)


@in_virtual_time
async def test_nothing_is_sent_once_the_lease_has_expired_while_the_record_was_read():
    store = SlowStore()
    scene = Scene(store=store)
    await scene.start()
    await asyncio.sleep(2)
    store.seconds = 20
    await scene.write(sample("d1"), offered=True)
    await asyncio.sleep(60)
    assert scene.courier.attempts == []
    store.seconds = 0
    await scene.ended("d1")
    assert scene.courier.ids == ["d1"]
    await scene.stop()


@in_virtual_time
async def test_what_is_not_sent_after_all_does_not_count_towards_the_rate():
    scene = Scene({"crm": Target(url="https://crm.example", rate="1/m")})
    await scene.start()
    await asyncio.sleep(2)
    scene.sending.committed((RecordWrite(DELIVERIES, sample("d0"), 0),))  # it has no record any more
    await asyncio.sleep(1)
    await scene.write(sample("d1"), offered=True)
    began = scene.clock.ticks()
    assert await scene.ended("d1") - began < 3
    await scene.stop()


@in_virtual_time
async def test_the_shards_of_a_target_share_its_rate():
    scene = Scene({"crm": Target(url="https://crm.example", rate="2/m", shards=2)})
    await scene.write(*(sample(f"d{n}", queue=queue_of("crm", n % 2)) for n in range(8)))
    await scene.start()
    await asyncio.sleep(50)
    assert len(scene.courier.attempts) == 2
    await scene.stop()


@in_virtual_time
async def test_ended_ones_of_a_target_that_is_gone_are_deleted_when_they_are_due():
    scene = Scene({"erp": Target(url="https://erp.example")})
    await scene.write(sample("d1", state="sent", ended=NOW, due=NOW + 600_000))
    await scene.start()
    await asyncio.sleep(500)
    assert await scene.state("d1") == "sent"
    await asyncio.sleep(200)
    assert await scene.state("d1") == "gone"
    await scene.stop()

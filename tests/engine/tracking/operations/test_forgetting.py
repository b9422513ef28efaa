"""Forgetting a profile: all of it goes, what comes late is refused, and who stays keeps everything."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from msgspec import structs

from api.forgetting import serialize_forgetting
from engine.flow.ask import HttpReply
from engine.flow.message import HttpMessage
from engine.ports.erasure import Erased
from engine.ports.kinds import ARRIVALS, DELIVERIES, WAITS
from engine.ports.outbox import StoredDelivery
from engine.ports.records import ProfileWrite, RecordWrite, StoredEvent, Unit
from engine.ports.resolve import NotFound, require_profile
from engine.ports.store import Contention, Store, Unavailable
from engine.ports.waiting_run import Arrival, WaitingRun
from engine.project.source import Source, Target
from engine.tracking.intake.payload import Refusal
from engine.tracking.operations.forgetting import MAX_TRIES, NOTE, Forgetter, Forgetting, quiet_ms
from engine.tracking.operations.unmerging import unmerge_served
from engine.tracking.waits.waking import wake
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.watched_performer import WatchedPerformer
from tests.projects import payload, project

FLOWS = (
    """
    flow: login
    trigger: {event: login}
    nodes:
      who: {profile.merge: {pii.email: "{{ event.properties.email }}"}, next: note}
      note: {profile.set: {traits.city: "{{ event.properties.city | default('none') }}"}, next: keep}
      keep: {cache.set: {key: "city of {{ event.properties.email }}", value: "{{ event.properties }}", ttl: 1h}}
    """,
    """
    flow: ask
    trigger: {event: ask}
    nodes:
      whose: {lookup.profile: {key: {pii.email: "{{ event.properties.email }}"}}}
    """,
    """
    flow: redeem
    trigger: {event: redeem}
    nodes:
      whose: {profile.attach: {key: {pii.email: "{{ event.properties.email }}"}}}
    """,
)


@pytest.fixture
def shop(store: Store) -> Collector:
    return Collector(project(*FLOWS), store)


def login(session: str, email: str, **more: Any) -> dict[str, Any]:
    event = {"type": "login", "id": f"{session} of {email}", "properties": {"email": email, **more}}
    return payload(event, session=session)


def forgetter(shop: Collector, **more: Any) -> Forgetter:
    return Forgetter(shop.store, shop.clock, shop.pipeline, **{"quiet_ms": 0, "pause": 0, **more})


async def forgotten(shop: Collector, id: str) -> Forgetting:
    one = forgetter(shop)
    return await one.finish(await one.begin(id, "the forgetting"))


async def refused(shop: Collector, body: dict[str, Any]) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        await shop.track(body)
    return refusal.value


async def test_all_that_is_stored_of_a_profile_goes_under_whichever_id_it_came(shop: Collector) -> None:
    ids = [(await shop.track(login(name, "ann@x.org", city="Rome")))["profile"]["id"] for name in ("phone", "desk")]
    bo = (await shop.track(login("bo's", "bo@x.org", city="Oslo")))["profile"]["id"]
    before = await shop.profile(bo)
    done = await forgotten(shop, ids[1])
    assert done.status == "complete"
    assert done.ids == ()
    assert done.erased == Erased(profiles=2, sessions=2, events=2, runs=2, keys=1, marks=2, cache=1)
    assert [await shop.store.profile(id) for id in ids] == [None, None]
    assert await shop.profile(bo) == before
    counts = await shop.store.counts()
    assert (counts["profiles"], counts["sessions"], counts["events"], counts["runs"]) == (1, 1, 1, 1)


async def test_late_payloads_are_refused_by_session_and_by_profile(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    await forgotten(shop, id)
    late = [
        login("phone", "ann@x.org"),  # the same event again
        payload("seen", session="phone"),
        payload("seen", session="phone", profile={"id": id}),
        payload("seen", session="another", profile={"id": id}),
    ]
    assert [(await refused(shop, body)).kind for body in late] == ["forgotten"] * 4
    with pytest.raises(Refusal):
        await shop.track(payload("seen", session="phone"), profile_less=True)
    assert (await shop.store.counts())["events"] == 0


@pytest.mark.parametrize("session", ["bo's", "new"])
@pytest.mark.parametrize("profile_less", [False, True])
async def test_a_payload_that_names_the_profile_is_refused_whatever_else_it_contains(
    shop: Collector, session: str, profile_less: bool
) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    await shop.track(payload("seen", session="bo's"))
    await forgotten(shop, id)
    late = payload("seen", {"type": 7}, session=session, profile={"id": id})
    with pytest.raises(Refusal) as refusal:
        await shop.track(late, profile_less=profile_less)
    assert refusal.value.kind == "forgotten"
    assert await shop.store.rejected(9) == []


async def test_a_visitor_who_comes_back_with_new_ids_gets_a_new_profile(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org", city="Rome")))["profile"]["id"]
    await forgotten(shop, id)
    again = await shop.track(login("new phone", "ann@x.org", city="Bonn"))
    assert again["profile"]["id"] != id
    assert (await shop.profile(again["profile"]["id"]))["traits"]["city"] == "Bonn"


async def test_a_run_of_another_profile_that_read_this_one_is_erased_too(shop: Collector) -> None:
    ann = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    ask = {"type": "ask", "id": "q", "properties": {"email": "ann@x.org"}}
    await shop.track(payload(ask, session="desk"))
    assert [run.other_profiles for run in await shop.store.runs_of("q")] == [(ann,)]
    await forgotten(shop, ann)
    assert await shop.store.runs_of("q") == []
    assert (await shop.store.event("q")) is not None  # it is another one's


def delivery(id: str, **more: Any) -> RecordWrite:
    fields = {"target": "crm", "queue": "crm/0", "at": 5, "source": "shop", "event": "e", "flow": "f", "node": "n"}
    message = HttpMessage(method="PUT", path="/people")
    return RecordWrite(DELIVERIES, StoredDelivery(id=id, message=message, due=5, **{**fields, **more}), 0)


def waiting(id: str, **more: Any) -> RecordWrite:
    fields = {"flow": "f", "flow_version": "1", "at": 5, "source": "shop", "event": "e", **more}
    return RecordWrite(WAITS, WaitingRun(id=id, **fields), 0)


async def test_deliveries_and_waits_that_contain_its_data_go_and_those_of_others_stay(shop: Collector) -> None:
    ann = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    bo = (await shop.track(login("bo's", "bo@x.org")))["profile"]["id"]
    heard = Arrival(id="w1.1.a", at=5, source="shop", profile=ann, event="e")
    changes = (
        delivery("d1", profile=ann),
        delivery("d2", profile=bo, other_profiles=(ann,)),
        delivery("d3", profile=bo),
        delivery("d4", session="phone"),
        delivery("d5", session="bo's"),
        waiting("w1.1", profile=ann),
        waiting("w2.1", profile=bo, other_profiles=(ann,)),
        waiting("w3.1", profile=bo),
        RecordWrite(ARRIVALS, heard, 0),
    )
    await shop.store.commit(Unit(changes=changes))
    done = await forgotten(shop, ann)
    assert [done.erased[kind] for kind in ("deliveries", "waits", "arrivals")] == [3, 2, 1]
    left = [write.id for write in changes if await shop.store.record(write.kind, write.id) is not None]
    assert left == ["d3", "d5", "w3.1"]


async def test_the_report_says_which_targets_have_received_its_messages(shop: Collector) -> None:
    ann = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    bo = (await shop.track(login("bo's", "bo@x.org")))["profile"]["id"]
    sent: tuple[tuple[str, dict[str, Any]], ...] = (
        ("crm", {"state": "sent", "profile": ann}),
        ("crm", {"state": "dead", "profile": ann, "attempts": 2}),
        ("crm", {"state": "waiting", "profile": ann}),
        ("mail", {"state": "sent", "session": "phone"}),
        ("mail", {"state": "sent", "profile": bo}),
        ("slack", {"state": "dropped", "profile": ann}),
    )
    changes = [delivery(f"d{n}", target=target, **more) for n, (target, more) in enumerate(sent)]
    await shop.store.commit(Unit(changes=tuple(changes)))
    reports: list[Forgetting] = []
    one = forgetter(shop)
    done = await one.finish(await one.begin(ann, "the forgetting"), reports.append)
    assert len(reports) > 2
    assert done.received == {"crm": 2, "mail": 1}
    assert serialize_forgetting(done)["received"] == {"crm": 2, "mail": 1}


async def test_a_profile_less_event_that_was_attached_goes_with_its_profile(shop: Collector) -> None:
    ann = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    redeem = {"type": "redeem", "id": "r", "properties": {"email": "ann@x.org"}}
    await shop.track(payload(redeem, session="till"), profile_less=True)
    await forgotten(shop, ann)
    assert await shop.store.event("r") is None


async def test_a_rejected_event_of_a_session_goes_too(shop: Collector) -> None:
    ann = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    with pytest.raises(Refusal):
        await shop.track(payload({"type": 7, "properties": {"secret": "x"}}, session="phone"))
    await forgotten(shop, ann)
    assert await shop.store.rejected(10) == []


async def test_a_profile_that_was_unmerged_before_stays(shop: Collector) -> None:
    ids = [(await shop.track(login(name, "ann@x.org", city=name)))["profile"]["id"] for name in ("phone", "desk")]
    joined = await require_profile(shop.store, ids[0])
    (link,) = [link.id for link in joined.links.values() if link.left == ids[1]]
    await unmerge_served(shop.pipeline, ids[0], link)
    cities = {(await shop.store.session("shop", name)).profile: name for name in ("phone", "desk")}  # type: ignore[union-attr]
    ann, other = sorted(cities, key=lambda one: cities[one] == "desk")
    await forgotten(shop, ann)
    assert await shop.store.profile(ann) is None
    assert (await shop.profile(other))["traits"]["city"] == "desk"


async def test_an_unknown_profile_cannot_be_forgotten(shop: Collector) -> None:
    await shop.tracker.start()
    with pytest.raises(NotFound, match="no profile has the id x"):
        await forgetter(shop).begin("x", "n")
    assert await forgetter(shop).all() == []


async def test_a_forgetting_that_was_left_is_resumed_by_another_process(
    shop: Collector, opened: Callable[[], Store]
) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    begun = await forgetter(shop).begin(id, "n")
    other = Forgetter(opened(), shop.clock, shop.pipeline.project, quiet_ms=0, pause=0)
    assert await other.left(1000) == []  # it may be at work
    shop.clock.advance(2000)
    assert await other.left(1000) == [begun]
    done = await other.finish(begun)
    assert await other.left(0) == []
    assert await other.one("n") == done
    assert await other.all() == [done]
    assert id.encode() not in (await shop.store.note(f"{NOTE}n") or b"")


async def test_a_forgetting_is_not_complete_while_earlier_requests_may_be_under_way(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    looks: list[Forgetting] = []

    def tell(one: Forgetting) -> None:
        looks.append(one)
        shop.clock.advance(400)

    one = forgetter(shop, quiet_ms=1000)
    done = await one.finish(await one.begin(id, "n"), tell)
    assert [look.status for look in looks[:-1]] == ["erasing"] * (len(looks) - 1)
    assert len(looks) >= 3
    assert (done.complete or 0) - done.asked >= 1000


async def test_a_resumed_forgetting_counts_its_quiet_time_from_the_last_heartbeat(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    begun = await forgetter(shop).begin(id, "n")
    await forgetter(shop)._pass(begun)
    shop.clock.advance(60_000)
    left = structs.replace(begun, worked=shop.clock.now())  # another process has worked on it a moment ago
    looks: list[Forgetting] = []

    def tell(one: Forgetting) -> None:
        looks.append(one)
        shop.clock.advance(400)

    done = await forgetter(shop, quiet_ms=1000).finish(left, tell)
    assert (done.complete or 0) - left.worked >= 1000


async def test_a_forgetting_that_another_process_completed_stays_complete(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    begun = await forgetter(shop).begin(id, "n")
    done = await forgetter(shop).finish(begun)
    assert await forgetter(shop).finish(begun) == done
    assert await forgetter(shop).all() == [done]


async def test_events_that_come_meanwhile_are_refused_or_go_too(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    calls: list[str] = []

    async def client(number: int) -> None:
        for n in range(20):
            event = {"type": "seen", "id": f"{number}-{n}"}
            body = payload(event, session="phone" if n % 2 else f"visit {number}", profile={"id": id})
            with suppress(Refusal):
                await shop.track(body)
                calls.append("taken")
            await asyncio.sleep(0)

    async def forget() -> Forgetting:
        await asyncio.sleep(0)
        return await forgotten(shop, id)

    *_, done = await asyncio.gather(*[client(n) for n in range(5)], forget())
    assert 0 < len(calls) < 100
    again = await forgetter(shop)._pass(Forgetting(id="again", asked=0, ids=(id,)))
    assert again.erased == Erased()
    assert done.status == "complete"
    assert (await shop.store.counts())["events"] == 0


class Meanwhile:
    """A store on which something else happens, once or some times, just after it has done what is named."""

    def __init__(self, store: Store, name: str, happens: Callable[[], Awaitable[object]], times: int = 1) -> None:
        self._store = store
        self._name = name
        self._happens = [happens] * times

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name != self._name:
            return method

        async def done(*given: Any) -> Any:
            found = await method(*given)
            if self._happens:
                await self._happens.pop()()
            return found

        return done


async def test_a_session_that_begins_while_its_profile_goes_is_refused_as_well(
    shop: Collector, opened: Callable[[], Store]
) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    other = Collector(shop.pipeline.project, opened())

    async def comes() -> None:
        await other.track(payload("seen", session="desk", profile={"id": id}))
        await other.track(payload("seen", session="desk"), profile_less=True)

    store: Any = Meanwhile(shop.store, "data_subject", comes)
    one = Forgetter(store, shop.clock, shop.pipeline.project, quiet_ms=0, pause=0)
    begun = await forgetter(shop).begin(id, "n")
    await one.finish(begun)
    assert (await refused(shop, payload("seen", session="desk"))).kind == "forgotten"
    assert (await shop.store.counts())["events"] == 0


async def test_an_event_without_a_profile_that_comes_after_its_session_was_erased_is_found(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    nobodys = StoredEvent("late", "seen", "shop", 1, "phone")

    async def comes() -> None:
        await shop.store.commit(Unit(events=(nobodys,)))

    store: Any = Meanwhile(shop.store, "erase", comes)
    one = Forgetter(store, shop.clock, shop.pipeline.project, quiet_ms=0, pause=0)
    await one.finish(await one.begin(id, "n"))
    assert await shop.store.event("late") is None


@pytest.fixture
async def both(shop: Collector) -> tuple[str, ...]:
    """The ids of a profile with two documents: its own, and the tombstone of another."""
    for name in ("phone", "desk"):
        id = (await shop.track(login(name, "ann@x.org")))["profile"]["id"]
    return tuple((await shop.profile(id))["ids"])


def moving(shop: Collector, ids: tuple[str, ...]) -> Callable[[], Awaitable[None]]:
    """Changes the tombstone, as a merge at the same time might."""

    async def moves() -> None:
        stored = await shop.store.as_stored(ids)
        (stone,) = [one for one in stored.values() if one.merged_into is not None]
        await shop.store.commit(
            Unit(profiles=(ProfileWrite(structs.replace(stone, version=stone.version + 1), stone.version),))
        )

    return moves


async def test_documents_are_counted_that_went_before_another_had_moved(shop: Collector, both: tuple[str, ...]) -> None:
    store: Any = Meanwhile(shop.store, "remove", moving(shop, both))
    one = Forgetter(store, shop.clock, shop.pipeline.project, quiet_ms=0, pause=0)
    assert (await one.finish(await one.begin(both[0], "n"))).erased["profiles"] == 2


async def test_documents_that_keep_moving_leave_it_to_be_gone_on_with(shop: Collector, both: tuple[str, ...]) -> None:
    store: Any = Meanwhile(shop.store, "as_stored", moving(shop, both), times=MAX_TRIES)
    one = Forgetter(store, shop.clock, shop.pipeline.project, quiet_ms=0, pause=0)
    begun = await one.begin(both[0], "n")
    with pytest.raises(Contention, match=f"moved {MAX_TRIES} times"):
        await one.finish(begun)
    (left,) = await forgetter(shop).all()
    assert (left.status, left.erased["profiles"]) == ("erasing", 1)
    assert (await forgetter(shop).finish(left)).erased["profiles"] == 2


@pytest.mark.parametrize("name", ["erase", "expunge"])
async def test_a_forgetting_that_waits_long_for_the_store_keeps_its_heartbeat(shop: Collector, name: str) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    kept = asyncio.Event()

    async def note_kept() -> None:
        kept.set()

    async def takes_long() -> None:
        shop.clock.advance(100_000)
        async with asyncio.timeout(30):
            while await forgetter(shop).left(1000):
                kept.clear()
                await kept.wait()

    slow: Any = Meanwhile(shop.store, name, takes_long)
    store: Any = Meanwhile(slow, "keep_note", note_kept, times=100_000)
    one = Forgetter(store, shop.clock, shop.pipeline.project, quiet_ms=0, pause=0, heartbeat=0)
    assert (await one.finish(await one.begin(id, "n"))).status == "complete"


async def test_a_forgetting_that_is_cancelled_leaves_nothing_under_way(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    waits = asyncio.Event()

    async def never() -> None:
        waits.set()
        await asyncio.Event().wait()

    store: Any = Meanwhile(shop.store, "expunge", never)
    one = Forgetter(store, shop.clock, shop.pipeline.project, quiet_ms=0, pause=0)
    before = asyncio.all_tasks()
    finishing = asyncio.create_task(one.finish(await one.begin(id, "n")))
    await waits.wait()
    finishing.cancel()
    await asyncio.wait([finishing])
    assert asyncio.all_tasks() == before
    assert (await forgetter(shop).all())[0].status == "erasing"


async def test_of_two_processes_on_one_forgetting_each_expunges_what_it_has_noted(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    begun = await forgetter(shop).begin(id, "n")
    cleared: list[str] = []

    async def other() -> None:
        await forgetter(shop).finish(begun)

    async def clears() -> None:
        cleared.append("by the slower one")

    slower: Any = Meanwhile(Meanwhile(shop.store, "erase", other), "expunge", clears)  # type: ignore[arg-type]
    done = await Forgetter(slower, shop.clock, shop.pipeline.project, quiet_ms=0, pause=0).finish(begun)
    assert cleared
    assert done == await forgetter(shop).one("n")


SLOW = """
flow: slow
trigger: {event: slow}
nodes:
  whose: {lookup.profile: {key: {pii.email: ann@x.org}}, next: crm}
  crm: {lookup.http: {target: crm, path: "/tier"}}
"""


async def test_a_run_that_read_the_profile_long_before_it_was_stored_is_found(store: Store) -> None:
    replies = asyncio.Event()
    crm = WatchedPerformer()
    crm.on("crm", "/tier", HttpReply(200, {}), after=replies)
    patient = Source(source="shop", identify="trust", debugger=True, answer_within=60_000)
    served = project(FLOWS[0], SLOW, sources=(patient,), targets={"crm": Target(url="https://crm.example")})
    shop = Collector(served, store, crm)
    ann = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]
    asking = asyncio.create_task(shop.track(payload({"type": "slow", "id": "q"}, session="bo's")))
    await crm.asked_times(1)

    async def passes() -> None:
        shop.clock.advance(8_000)
        if shop.clock.now() - begun.asked >= 50_000:
            replies.set()
            await asking

    meanwhile: Any = Meanwhile(store, "erase", passes, times=99)
    one = Forgetter(meanwhile, shop.clock, shop.pipeline.project, quiet_ms=quiet_ms(served), pause=0)
    begun = await one.begin(ann, "n")
    done = await one.finish(begun)
    replies.set()
    await asking
    assert await store.runs_of("q") == []
    assert done.erased["runs"] == 2


PATIENT = """
    flow: patient
    trigger: {event: patient}
    while_waiting: parallel
    nodes:
      nap: {wait: 1m, next: whose}
      whose: {lookup.profile: {key: {pii.email: ann@x.org}}, next: {found: crm, missing: crm}}
      crm: {lookup.http: {target: crm, path: /tier}, timeout: 120s, next: {found: tell, failed: tell, missing: tell}}
      tell: {profile.set: {traits.seen: "{{ nodes.whose.out.traits.city | default('nothing') }}"}}
"""


async def test_a_resumed_run_that_takes_long_leaves_nothing_of_a_profile_that_was_forgotten_meanwhile(
    store: Store,
) -> None:
    replies = asyncio.Event()
    crm = WatchedPerformer()
    crm.on("crm", "/tier", HttpReply(200, {}), after=replies)
    served = project(FLOWS[0], PATIENT, targets={"crm": Target(url="https://crm.example")})
    shop = Collector(served, store, crm)
    ann = (await shop.track(login("phone", "ann@x.org", city="Rome")))["profile"]["id"]
    bo = (await shop.track(payload({"type": "patient", "id": "p"}, session="bo's")))["profile"]["id"]
    shop.clock.advance(60_000)
    resuming = asyncio.create_task(wake(shop.pipeline, bo))
    await crm.asked_times(1)
    await forgotten(shop, ann)
    replies.set()
    await resuming
    assert (await shop.profile(bo))["traits"] == {"seen": "nothing"}
    assert not [run for run in await store.runs_of("p") if ann in run.other_profiles]


@pytest.mark.parametrize(("waits", "quiet"), [((), 15_000), ((1, 2), 15_000), ((60_000, 2), 70_000)])
def test_nothing_must_be_found_for_longer_than_any_request_takes(waits: tuple[int, ...], quiet: int) -> None:
    sources = tuple(Source(source=f"s{waited}", answer_within=waited) for waited in waits)
    assert quiet_ms(project(sources=sources)) == quiet


async def test_a_store_that_is_away_leaves_it_to_be_gone_on_with(shop: Collector) -> None:
    id = (await shop.track(login("phone", "ann@x.org")))["profile"]["id"]

    class Away:
        def __getattr__(self, name: str) -> Any:
            return getattr(shop.store, name)

        async def expunge(self) -> None:
            raise Unavailable("the disk is busy")

    store: Any = Away()
    one = Forgetter(store, shop.clock, shop.pipeline.project, quiet_ms=0, pause=0)
    begun = await one.begin(id, "n")
    with pytest.raises(Unavailable):
        await one.finish(begun)
    (left,) = await forgetter(shop).all()
    assert (left.status, left.ids, left.erased["events"]) == ("erasing", (), 1)
    done = await forgetter(shop).finish(left)
    assert done == structs.replace(left, complete=done.complete)


def test_a_forgetting_is_stored_without_default_values() -> None:
    assert msgspec.json.encode(Forgetting(id="n", asked=1)) == b'{"id":"n","asked":1}'

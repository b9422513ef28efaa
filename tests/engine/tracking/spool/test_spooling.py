"""With a spool: what is accepted while the store is away waits, and takes effect once, in order, when it is back."""

import asyncio
from collections import Counter

import msgspec
import pytest
from msgspec import structs

from engine.ports.store import Store, TooLarge, Unavailable
from engine.project.source import Source
from engine.tracking.intake.payload import Refusal, read_track
from storage.spool.bounds import Bounds
from storage.spool.memory import MemorySpool
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.conftest import Opening
from tests.engine.tracking.shop_project import COUNT, GREET, SHOPPING, ledger, traits
from tests.engine.tracking.unavailable_store import AwayStore, Shop
from tests.projects import payload, project

# ---- while the store is away ----------------------------------------------------------------------------------------


async def test_a_payload_is_acknowledged_while_the_store_is_away_and_takes_effect_when_it_is_back(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    answer = await shop.track(payload("counted", {"type": "counted", "id": "e-2"}))
    execution = answer["debugging"]["execution"]
    assert [one["disposition"] for one in execution.values()] == ["queued", "queued"]
    assert execution["e-2"]["reason"] == "the store is away: it is away"
    assert answer["source"] == {"consent": False}
    assert answer["debugging"]["events"] == {"saved": 0, "errors": [], "ids": list(execution), "types": ["counted"]}
    assert ledger(shop) == {"queued": 2}
    await shop.back()
    assert await traits(shop, answer["profile"]["id"]) == {"count": 2}
    assert {event.id for event in await shop.store.events_of(answer["profile"]["id"], 10)} == set(execution)
    assert ledger(shop) == {"stored": 2}


async def test_without_the_debugger_the_answer_is_the_usual_one(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    answer = await shop.track(payload("counted"), debug=False)
    assert set(answer) == {"profile", "source"}


async def test_the_id_that_is_answered_is_the_one_that_the_store_would_have_led_to(shop: Shop) -> None:
    first = await shop.track(payload("counted"))
    new = await Collector(SHOPPING, shop.store).track(payload("counted", session="s-2"))
    shop.away.away = True
    assert (await shop.track(payload("counted")))["profile"] == first["profile"]
    assert (await shop.track(payload("counted", session="s-2")))["profile"] == new["profile"]
    assert (await shop.track(payload("counted", session="s-3", profile=first["profile"])))["profile"] == first[
        "profile"
    ]
    await shop.back()
    assert await traits(shop, first["profile"]["id"]) == {"count": 3}
    assert await traits(shop, new["profile"]["id"]) == {"count": 2}


async def test_while_anything_waits_everything_queues_behind_it(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    await shop.track(payload("counted"))
    shop.away.away = False
    answer = await shop.track(payload("counted", session="s-2"))
    (entry,) = answer["debugging"]["execution"].values()
    assert (entry["disposition"], entry["reason"]) == ("queued", "earlier payloads wait for the store")
    await shop.back()
    answer = await shop.track(payload("counted"))
    assert [entry["disposition"] for entry in answer["debugging"]["execution"].values()] == ["stored"]
    assert await traits(shop, answer["profile"]["id"]) == {"count": 2}


async def test_a_payload_that_the_store_will_never_take_is_not_spooled(shop: Shop) -> None:
    shop.away.refused["large"] = TooLarge("more than a document may hold")
    with pytest.raises(Unavailable, match="more than"):
        await shop.track(payload("large"))
    assert shop.spool.entries == 0


async def test_a_unit_whose_documents_keep_moving_is_not_spooled(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tracking.pipeline.pipeline.MAX_ATTEMPTS", 0)
    with pytest.raises(Unavailable, match="moved"):
        await shop.track(payload("counted"))
    assert shop.spool.entries == 0


async def test_without_a_spool_it_is_refused_as_ever(store: Store) -> None:
    away = AwayStore(store)
    collector = Collector(SHOPPING, away)
    await collector.track(payload("counted"))
    away.away = True
    with pytest.raises(Unavailable, match="it is away"):
        await collector.track(payload("counted"))


async def test_a_spool_that_is_full_refuses_with_a_time_to_come_again(store: Store) -> None:
    shop = Shop(SHOPPING, AwayStore(store), MemorySpool(Bounds(entries=2)))
    await shop.start()
    shop.away.away = True
    for _ in range(2):
        await shop.track(payload("counted"))
    with pytest.raises(Unavailable, match="full") as full:
        await shop.track(payload("counted"))
    assert full.value.retry_after >= 5
    assert ledger(shop) == {"queued": 2}
    assert (await shop.tracker.readiness()).status == "not ready"
    await shop.back()
    assert ledger(shop) == {"stored": 2}
    assert (await shop.tracker.readiness()).status == "ready"


async def test_rejected_events_wait_too_and_are_kept_once(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    answer = await shop.track(payload({"type": ""}, "counted"))
    assert [error["index"] for error in answer["errors"]] == [0]
    assert [entry["disposition"] for entry in answer["debugging"]["execution"].values()] == ["rejected", "queued"]
    with pytest.raises(Refusal, match="none of the events"):
        await shop.track(payload({"type": ""}))
    assert ledger(shop) == {"queued": 3}
    await shop.back()
    assert len(await shop.store.rejected(10)) == 2
    assert ledger(shop) == {"stored": 1, "rejected": 2}


# ---- profile-less ---------------------------------------------------------------------------------------------------


async def test_profile_less_events_wait_each_as_a_unit_of_its_own(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    answer = await shop.track(payload("counted", "counted", {"type": ""}), profile_less=True)
    assert answer["profile"] == {"id": None}
    assert (shop.spool.entries, ledger(shop)) == (2, {"queued": 3})
    await shop.back()
    assert ((await shop.store.counts())["events"], ledger(shop)) == (2, {"stored": 2, "rejected": 1})


async def test_the_rest_of_a_payload_is_spooled_when_the_store_goes_away_in_between(shop: Shop) -> None:
    await shop.start()
    body = payload({"type": "counted", "id": "e-1"}, {"type": "counted", "id": "e-2"}, {"type": "counted", "id": "e-3"})
    shop.away.refused["gone"] = Unavailable("it is away")
    body["events"][1]["type"] = "gone"
    answer = await shop.track(body, profile_less=True)
    dispositions = {id: one["disposition"] for id, one in answer["debugging"]["execution"].items()}
    assert dispositions == {"e-1": "stored", "e-2": "queued", "e-3": "stored"}
    assert "errors" not in answer
    assert ledger(shop) == {"stored": 2, "queued": 1}
    shop.away.refused.clear()
    await shop.back()
    assert (await shop.store.counts())["events"] == 3
    assert ledger(shop) == {"stored": 3}


# ---- once -----------------------------------------------------------------------------------------------------------


async def test_a_unit_whose_commit_was_not_answered_takes_effect_once(shop: Shop) -> None:
    await shop.start()
    shop.away.fails.append(None)
    answer = await shop.track(payload("counted", {"type": "counted", "id": "e-2"}, {"type": ""}))
    assert ledger(shop) == {"queued": 3}
    await shop.back()
    assert await traits(shop, answer["profile"]["id"]) == {"count": 2}
    assert len(await shop.store.rejected(10)) == 1
    assert ledger(shop) == {"stored": 2, "rejected": 1}


async def test_a_process_that_dies_between_commit_and_removal_doubles_nothing(store: Store, opening: Opening) -> None:
    first = Shop(SHOPPING, AwayStore(store), opening())
    await first.start()
    first.away.away = True
    answer = await first.track(payload("counted", {"type": ""}))
    with pytest.raises(Refusal):
        await first.track(payload({"type": ""}))
    waiting = await first.spool.after(0, 10)
    await first.back()
    again = Shop(SHOPPING, AwayStore(store), opening())
    await again.spool.put(waiting)  # as if they had not been removed
    await again.back()
    assert await traits(again, answer["profile"]["id"]) == {"count": 1}
    assert len(await store.rejected(10)) == 2
    assert (await store.counts())["events"] == 1
    assert ledger(again) == {"stored": 1, "rejected": 2}


async def test_a_removal_that_fails_is_tried_again_and_nothing_else(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.start()
    shop.away.away = True
    answer = await shop.track(payload("counted"))
    drop, failures = shop.spool.drop, [Unavailable("the disk is full")]

    async def failing(places: list[int]) -> None:
        if failures:
            raise failures.pop()
        await drop(places)

    monkeypatch.setattr(shop.spool, "drop", failing)
    shop.away.away = False
    assert (await shop.tracker.drain.run()).reason == "the disk is full"
    commits = shop.away.commits
    assert ledger(shop) == {"stored": 1}
    await shop.back()
    assert shop.away.commits == commits
    assert ledger(shop) == {"stored": 1}
    assert await traits(shop, answer["profile"]["id"]) == {"count": 1}


async def test_an_event_that_is_sent_again_while_it_waits_takes_effect_once(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    answer = await shop.track(payload({"type": "counted", "id": "e-1"}))
    await shop.track(payload({"type": "counted", "id": "e-1"}))
    await shop.back()
    assert (await shop.track(payload({"type": "counted", "id": "e-1"})))["profile"] == answer["profile"]
    assert await traits(shop, answer["profile"]["id"]) == {"count": 1}
    assert ledger(shop) == {"stored": 1, "duplicate": 2}


# ---- the promised id ------------------------------------------------------------------------------------------------


async def test_a_promised_id_becomes_an_id_of_the_profile_that_its_session_has(store: Store, opening: Opening) -> None:
    before = Collector(SHOPPING, store)
    other = (await before.track(payload("counted", session="s-0")))["profile"]
    known = (await before.track(payload("counted", session="s-1", profile=other)))["profile"]
    shop = Shop(SHOPPING, AwayStore(store), opening())  # has never seen that session
    await shop.start()
    shop.away.away = True
    promised = (await shop.track(payload("counted", session="s-1")))["profile"]
    assert promised != known == other
    await shop.track(payload("counted", session="s-1", profile=promised))
    await shop.back()
    assert set((await shop.profile(known["id"]))["ids"]) == {known["id"], promised["id"]}
    later = await shop.track(payload("counted", session="s-9", profile=promised))
    assert later["profile"] == known
    assert await traits(shop, promised["id"]) == {"count": 5}


async def test_a_promised_id_becomes_an_id_of_the_profile_that_the_payload_named(
    store: Store, opening: Opening
) -> None:
    known = (await Collector(SHOPPING, store).track(payload("counted", session="s-0")))["profile"]
    shop = Shop(SHOPPING, AwayStore(store), opening())
    await shop.start()
    shop.away.away = True
    promised = (await shop.track(payload("counted", session="s-1", profile=known)))["profile"]
    await shop.back()
    assert promised != known
    assert await traits(shop, promised["id"]) == {"count": 2}
    assert (await shop.profile(promised["id"]))["id"] == known["id"]


async def test_a_sender_that_may_not_identify_still_sees_the_profile_that_was_promised(
    store: Store, opening: Opening
) -> None:
    linked = project(COUNT, GREET, sources=(Source(source="shop", debugger=True, profiles=True),))
    known = (await Collector(linked, store).track(payload("counted", session="s-0")))["profile"]
    shop = Shop(linked, AwayStore(store), opening())
    await shop.start()
    shop.away.away = True
    await shop.track(payload("counted", session="s-1", profile=known))
    await shop.back()
    answer = await shop.track(payload("counted", session="s-1", options={"profile": True}))
    assert answer["response"] == {"banner": "hello"}
    assert answer["profile"]["id"] == known["id"]


async def test_a_provisional_id_that_became_another_profiles_stays_with_it(store: Store, opening: Opening) -> None:
    shop = Shop(SHOPPING, AwayStore(store), opening())
    await shop.start()
    shop.away.away = True
    known = (await Collector(SHOPPING, store).track(payload("counted", session="s-0")))["profile"]
    promised = (await shop.track(payload("counted", session="s-1", profile=known, options={"saveSession": False})))[
        "profile"
    ]
    elsewhere = payload("counted", session="s-1", options={"saveSession": False})
    assert (await Collector(SHOPPING, store).track(elsewhere))["profile"] == promised  # in another process
    await shop.back()
    assert (await shop.profile(promised["id"]))["ids"] == [promised["id"]]
    counts = [(await traits(shop, one["id"]))["count"] for one in (known, promised)]
    assert counts == [2, 1]


async def test_a_promise_that_could_not_be_kept_at_once_is_kept_later_and_the_unit_not_done_again(
    store: Store, opening: Opening
) -> None:
    known = (await Collector(SHOPPING, store).track(payload("counted", session="s-0")))["profile"]
    shop = Shop(SHOPPING, AwayStore(store), opening())
    await shop.start()
    shop.away.away = True
    promised = (await shop.track(payload("counted", session="s-1", profile=known)))["profile"]
    shop.away.away = False
    shop.away.refused[promised["id"]] = Unavailable("not now")
    assert (await shop.tracker.drain.run()).reason == "not now"
    assert ledger(shop) == {"stored": 1}
    shop.away.refused.clear()
    await shop.back()
    assert await traits(shop, promised["id"]) == {"count": 2}
    assert ledger(shop) == {"stored": 1}


# ---- processes ------------------------------------------------------------------------------------------------------


async def test_a_worker_starts_without_the_store_if_it_has_reached_it_before(store: Store, opening: Opening) -> None:
    first = Shop(SHOPPING, AwayStore(store), opening())
    known = (await first.track(payload("counted")))["profile"]
    first.away.away = True
    await first.track(payload("counted"))
    second = Shop(SHOPPING, AwayStore(store), opening())
    second.away.away = True
    assert (await second.track(payload("counted")))["profile"] == known
    assert ledger(second) == {"queued": 2}
    assert (await second.tracker.readiness()).status == "spooling"
    await second.back()
    assert await traits(second, known["id"]) == {"count": 3}
    assert ledger(second) == {"stored": 2}
    assert (await second.tracker.readiness()).status == "ready"
    assert (await second.store.flow_version(SHOPPING.flows[0].version)) is not None
    assert "migrate" in second.away.called
    assert "migrate" not in first.away.called


async def test_a_worker_that_has_never_reached_the_store_cannot_answer_with_ids(store: Store, opening: Opening) -> None:
    shop = Shop(SHOPPING, AwayStore(store), opening())
    shop.away.away = True
    with pytest.raises(Unavailable, match="key"):
        await shop.track(payload("counted"))
    assert (await shop.tracker.readiness()).status == "not ready"
    assert shop.tracker.drain.waits.is_set()
    await shop.back()
    await shop.track(payload("counted"))
    assert ledger(shop) == {"stored": 1}


async def test_readiness_says_how_many_wait_and_why(shop: Shop) -> None:
    await shop.start()
    assert (await shop.tracker.readiness()).entries == 0
    shop.away.away = True
    await shop.track(payload("counted"))
    readiness = await shop.tracker.readiness()
    assert (readiness.status, readiness.reason, readiness.entries) == ("spooling", "the store is away: it is away", 1)
    shop.away.away = False
    assert (await shop.tracker.readiness()).status == "spooling"
    await shop.back()
    assert (await shop.tracker.readiness()).status == "ready"


async def test_a_store_that_comes_and_goes_under_load_loses_and_doubles_nothing(shop: Shop) -> None:
    await shop.start()
    profiles: dict[str, str] = {}
    sent: Counter[str] = Counter()
    stop = asyncio.Event()

    async def client(number: int) -> None:
        for i in range(60):
            session = f"s-{(number + i) % 6}"
            event = {"type": "counted", **({"id": f"e-{number}-{i}"} if i % 2 else {})}
            answer = await shop.track(payload(event, session=session), debug=False)
            assert profiles.setdefault(session, answer["profile"]["id"]) == answer["profile"]["id"]
            sent[session] += 1

    async def weather() -> None:
        while not stop.is_set():
            shop.away.away = not shop.away.away
            shop.away.fails = [None, Unavailable("no")]
            for _ in range(20):
                await asyncio.sleep(0)
            await shop.tracker.drain.run()

    storm = asyncio.create_task(weather())
    await asyncio.gather(*(client(number) for number in range(8)))
    stop.set()
    await storm
    shop.away.fails.clear()
    await shop.back()
    assert {session: (await traits(shop, id))["count"] for session, id in profiles.items()} == dict(sent)
    assert ledger(shop) == {"stored": 480}
    assert (await shop.store.counts())["events"] == 480


@pytest.mark.parametrize(
    ("time", "stored"), [(True, None), ("soon", None), (1714564800, "2024-05-01T12:00:00.000Z"), (None, None)]
)
async def test_an_event_that_an_earlier_version_has_spooled_takes_effect_whatever_its_time(
    shop: Shop, time: object, stored: str | None
) -> None:
    await shop.start()
    shop.away.away = True
    body = b'{"source":{"id":"shop"},"session":{"id":"s"},"events":[{"type":"counted","id":"e"}]}'
    intake = read_track(body)
    await shop.tracker.track(
        structs.replace(intake, events=(structs.replace(intake.events[0], time=time),)), SHOPPING.sources["shop"]
    )
    await shop.back()
    event = await shop.store.event("e")
    assert event is not None
    assert event.time == stored


async def test_a_malformed_event_of_a_spooled_payload_is_rejected_and_the_others_take_effect(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    deep = b"[" * 2000 + b"]" * 2000
    events = (
        b'{"type":"counted","time":1714564800},NaN,{"type":"x\xff"},{"type":"counted","properties":{"d":%s}}' % deep
    )
    intake = read_track(b'{"source":{"id":"shop"},"session":{"id":"s"},"events":[%s]}' % events)
    await shop.tracker.track(intake, SHOPPING.sources["shop"])
    await shop.back()
    assert ledger(shop) == {"stored": 1, "rejected": 3}
    bodies = sorted([msgspec.json.decode(one.body)[:11] for one in await shop.store.rejected(10)])
    assert bodies == ["NaN", '{"type":"co', '{"type":"x\\']

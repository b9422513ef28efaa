"""Draining: what waited in the spool takes effect in order, each unit once, whatever the store does meanwhile."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from engine.ports.spool import Spool, SpoolEntry
from engine.ports.store import Store, TooLarge, Unavailable
from engine.project.source import Source
from tests.engine.tracking.collector import Collector, holder
from tests.engine.tracking.conftest import Opening
from tests.engine.tracking.shop_project import COUNT, JOIN, LINKED, LIST, SHOPPING, ledger, traits
from tests.engine.tracking.unavailable_store import AwayStore, Shop
from tests.projects import payload, project


async def test_a_profile_sees_its_events_in_the_order_in_which_they_were_acknowledged(shop: Shop) -> None:
    mine = (await shop.track(payload("counted", session="s-0")))["profile"]
    shop.away.away = True
    for n in range(40):  # several sessions of one profile, among others
        await shop.track(payload({"type": "seen", "properties": {"n": n}}, session=f"s-{n % 7}", profile=mine))
        await shop.track(payload({"type": "seen", "properties": {"n": n}}, session=f"other-{n % 3}"))
    await shop.back()
    assert (await traits(shop, mine["id"]))["seen"] == list(range(40))


async def test_merged_profiles_are_one_in_the_order_too(store: Store, opening: Opening) -> None:
    linked = project(LIST, JOIN, sources=(LINKED,))
    before = Collector(linked, store)
    for device in ("phone", "desk"):
        body = payload({"type": "joined", "properties": {"email": "ann@example.com"}}, session=device)
        await before.track(body)
    shop = Shop(linked, AwayStore(store), opening())
    await shop.start()
    shop.away.away = True
    for n in range(20):
        device = ("phone", "desk")[n % 2]
        answer = await shop.track(payload({"type": "seen", "properties": {"n": n}}, session=device))
    await shop.back()
    assert (await traits(shop, answer["profile"]["id"]))["seen"] == list(range(20))


async def test_the_drain_stops_when_the_store_goes_away_again_and_goes_on_where_it_stopped(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    answers = [await shop.track(payload("counted", session=f"s-{i % 5}")) for i in range(50)]
    shop.away.away = False
    shop.away.fails += [Unavailable("gone again")] * 7  # five ordered groups, each tried twice
    drained = await shop.tracker.drain.run()
    assert drained.reason == "gone again"
    assert 0 < shop.spool.entries < 50
    await shop.back()
    counts = [(await traits(shop, id))["count"] for id in {answer["profile"]["id"] for answer in answers}]
    assert counts == [10] * 5
    assert ledger(shop) == {"stored": 50}


async def test_a_unit_that_the_store_does_not_take_holds_up_its_own_group_only(shop: Shop) -> None:
    stuck = (await shop.track(payload("counted", session="stuck")))["profile"]["id"]
    shop.away.away = True
    for i in range(10):
        await shop.track(payload("counted", session="stuck"))
        await shop.track(payload("counted", session=f"s-{i}"))
    shop.away.away = False
    shop.away.refused[stuck] = Unavailable("too much is pending")
    drained = await shop.tracker.drain.run()
    assert (drained.done, drained.failed, drained.reason) == (10, 1, "too much is pending")
    assert shop.spool.entries == 10
    shop.away.refused.clear()
    await shop.back()
    assert await traits(shop, stuck) == {"count": 11}


async def test_later_payloads_never_overtake_those_that_wait_for_the_store(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.tracking.spool.draining.WINDOW", 4)
    await shop.start()
    shop.away.away = True
    for n in range(20):
        await shop.track(payload({"type": "seen", "properties": {"n": n}}, session="other"))
        answer = await shop.track(payload({"type": "seen", "properties": {"n": n}}))
    shop.away.refused[answer["profile"]["id"]] = Unavailable("too much is pending")

    async def relent() -> None:
        shop.away.meanwhile = relent
        if shop.spool.entries <= 30:
            shop.away.refused.clear()

    shop.away.meanwhile = relent
    shop.away.away = False
    assert (await shop.tracker.drain.run()).failed == 1
    assert shop.spool.entries == 20
    await shop.back()
    assert (await traits(shop, answer["profile"]["id"]))["seen"] == list(range(20))


async def test_merging_while_draining_has_the_same_result_as_without_the_spool(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    for n in range(12):
        for session in ("s-1", "s-2"):
            joined = {"type": "joined", "properties": {"email": "ann@example.com"}}
            answer = await shop.track(payload(*([joined] if n == 5 else []), "counted", session=session))
    await shop.back()
    assert await traits(shop, answer["profile"]["id"]) == {"count": 24}
    assert (await shop.store.counts())["profiles"] == 1


async def test_a_poison_unit_among_others_of_its_profile_takes_none_of_them_with_it(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    for n in range(9):
        await shop.track(payload("poison" if n == 4 else {"type": "seen", "properties": {"n": n}}))
    answer = await shop.track(payload({"type": "seen", "id": "e-9", "properties": {"n": 9}}))
    await shop.track(payload({"type": "seen", "id": "e-9", "properties": {"n": 9}}))
    shop.away.refused["poison"] = ValueError("no store could keep this")
    await shop.back()
    assert (await traits(shop, answer["profile"]["id"]))["seen"] == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert ledger(shop) == {"stored": 9, "rejected": 1, "duplicate": 1}


async def test_a_long_queue_of_one_profile_shares_commits(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    for n in range(100):
        answer = await shop.track(payload({"type": "seen", "properties": {"n": n}}))
    before = shop.away.commits
    await shop.back()
    assert (await traits(shop, answer["profile"]["id"]))["seen"] == list(range(100))
    assert shop.away.commits - before < 50


async def test_another_process_that_changes_a_profile_meanwhile_changes_no_order(shop: Shop) -> None:
    mine = (await shop.track(payload("counted")))["profile"]
    shop.away.away = True
    for n in range(30):
        await shop.track(payload({"type": "seen", "properties": {"n": n}}))
    elsewhere = Collector(SHOPPING, shop.store)

    async def disturb() -> None:
        await elsewhere.track(payload("counted"))
        shop.away.meanwhile = disturb if shop.spool.entries > 10 else None

    shop.away.meanwhile = disturb
    shop.away.away = False
    assert "moved" in str((await shop.tracker.drain.run()).reason)
    shop.away.meanwhile = None
    await shop.back()
    assert (await traits(shop, mine["id"]))["seen"] == list(range(30))


@pytest.mark.parametrize("error", [ValueError, TooLarge], ids=["a bug", "too large"])
async def test_a_poison_unit_ends_among_the_rejected_events_with_its_reason(shop: Shop, error: type[Exception]) -> None:
    await shop.start()
    shop.away.away = True
    await shop.track(payload({"type": "poison", "id": "e-1", "properties": {"a": 1}}, {"type": ""}))
    answer = await shop.track(payload("counted"))
    shop.away.refused["poison"] = error("no store could keep this")
    await shop.back()
    kept = {one.reason: bytes(one.body) for one in await shop.store.rejected(10)}
    assert len(kept) == 2
    (reason,) = (reason for reason in kept if "no store could keep this" in reason)
    assert b'"id":"e-1"' in kept[reason]
    assert await traits(shop, answer["profile"]["id"]) == {"count": 1}
    assert ledger(shop) == {"stored": 1, "rejected": 2}
    shop.away.refused.clear()
    replayed = await shop.track(payload({"type": "poison", "id": "e-1"}))
    assert replayed["debugging"]["execution"]["e-1"]["disposition"] == "stored"


async def test_an_entry_that_cannot_be_decoded_is_kept_as_text(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    await shop.spool.put([SpoolEntry(b"\xffnot ours", 1)])
    shop.pipeline.ledger.queue(1)
    await shop.track(payload("counted"))
    await shop.back()
    (kept,) = await shop.store.rejected(10)
    assert "cannot be read" in kept.reason
    assert bytes(kept.body) == b'"\\\\xffnot ours"'
    assert ledger(shop) == {"stored": 1, "rejected": 1}


async def test_a_spooled_payload_keeps_the_authority_that_it_was_admitted_with(store: Store, opening: Opening) -> None:
    first = Shop(SHOPPING, AwayStore(store), opening())
    await first.start()
    first.away.away = True
    body = {"type": "joined", "properties": {"email": "ann@example.com"}}
    answers = [await first.track(payload(body, session=session)) for session in ("s-1", "s-2")]
    gone = project(COUNT, JOIN, sources=(Source(source="other"),))  # the source has been taken out since
    await Shop(gone, AwayStore(store), opening()).back()
    one, two = [await first.profile(answer["profile"]["id"]) for answer in answers]
    assert one["id"] == two["id"]
    assert await holder(store, "proof", "pii.email", "ann@example.com") in one["ids"]


async def test_while_the_last_units_are_drained_payloads_wait_rather_than_queue(shop: Shop) -> None:
    await shop.start()
    shop.away.away = True
    await shop.track(payload("counted"))
    shop.away.away = False
    tasks: list[asyncio.Task[dict[str, Any]]] = []

    async def send() -> None:
        tasks.append(asyncio.create_task(shop.track(payload("counted"))))
        await asyncio.sleep(0)

    shop.away.meanwhile = send
    assert (await shop.tracker.drain.run()).reason is None
    (answer,) = await asyncio.gather(*tasks)
    assert [entry["disposition"] for entry in answer["debugging"]["execution"].values()] == ["stored"]
    assert await traits(shop, answer["profile"]["id"]) == {"count": 2}


async def test_a_payload_does_not_wait_for_ever_for_the_last_units(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tracking.spool.spooling.LAST_UNITS_SECONDS", 0.01)
    await shop.start()
    shop.away.away = True
    await shop.track(payload("counted"))
    shop.away.away = False

    async def send() -> None:
        answer = await shop.track(payload("counted", session="s-2"))
        assert [entry["disposition"] for entry in answer["debugging"]["execution"].values()] == ["queued"]

    shop.away.meanwhile = send
    await shop.tracker.drain.run()
    await shop.back()
    assert ledger(shop) == {"stored": 2}


@pytest.mark.parametrize("turns", range(1, 16))
async def test_a_drain_that_is_cancelled_at_any_time_loses_nothing_and_blocks_no_other(
    store: Store, opening: Opening, turns: int
) -> None:
    shop = Shop(SHOPPING, AwayStore(store), opening())
    mine = (await shop.track(payload("counted")))["profile"]
    shop.away.away = True
    for _ in range(3):
        await shop.track(payload("counted"))
    shop.away.away = False
    draining = asyncio.create_task(shop.tracker.drain.run())
    for _ in range(turns):
        await asyncio.sleep(0)
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    async with asyncio.timeout(30):
        assert (await shop.tracker.drain.run()).reason is None
        await shop.track(payload("counted"))
    assert (await traits(shop, mine["id"]))["count"] == 5
    assert ledger(shop) == {"stored": 5}


class WatchedSpool:
    """A spool that says when entries are being put into it."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.putting = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.spool, name)

    async def put(self, entries: Sequence[SpoolEntry]) -> None:
        self.putting.set()
        await self.spool.put(entries)


async def test_a_payload_whose_sender_disconnects_while_it_is_spooled_is_counted_and_drained(
    store: Store, opening: Opening
) -> None:
    spool: Any = WatchedSpool(opening())
    shop = Shop(SHOPPING, AwayStore(store), spool)
    mine = (await shop.track(payload("counted")))["profile"]
    shop.away.away = True
    request = asyncio.create_task(shop.track(payload("counted")))
    await spool.putting.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await shop.tracker.drain.waits.wait()
    assert ledger(shop) == {"stored": 1, "queued": 1}
    await shop.back()
    assert await traits(shop, mine["id"]) == {"count": 2}
    assert ledger(shop) == {"stored": 2}

"""Sources with a schema: properties are cast, refused values are kept beside the event, new fields are learnt."""

import asyncio
import itertools
from typing import Any

import pytest
from msgspec import json, structs

from engine.ports.learning import all_learnt, learnt_fields
from engine.ports.records import StoredEvent
from engine.ports.store import Store, Unavailable
from engine.profile.key import KeyRules
from engine.project.project import Settings
from engine.project.source import Source, schema_of
from engine.schema import schema
from engine.schema.schema import DeclaredField, Schema
from engine.schema.value_type import TYPES
from engine.tracking.intake.payload import Refusal, read_track
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.pipeline.time_slices import TimeSlices
from engine.tracking.unit.compose import MAX_REFUSED
from engine.tracking.unit.request import UnitRequest
from storage.memory import MemoryStore
from storage.spool.memory import MemorySpool
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.conftest import Opener, Opening
from tests.engine.tracking.shop_project import ledger
from tests.engine.tracking.unavailable_store import AwayStore, Shop
from tests.projects import CUSTOMER, SHOP, payload, project

LEARN = structs.replace(SHOP, schema="learn")
FIXED = structs.replace(SHOP, schema="fixed")
DESK = Source(source="desk", kind="secret", key="0" * 64, schema="fixed", identify="trust", debugger=True)
ORDERS = Schema(
    collection="order",
    fields={
        "total": DeclaredField(type=TYPES["DOUBLE"]),
        "items": DeclaredField(type=TYPES["ARRAY_STRING"]),
        "ordered": DeclaredField(type=TYPES["TIMESTAMP"]),
    },
)
SUSPICIOUS = """
flow: suspicious
trigger: {event: order, when: event.refused is defined}
nodes:
  note: {profile.append: {traits.refused: "{{ event.refused[0].field }}"}}
"""
COUNT = """
flow: count
trigger: {event: order}
nodes:
  add: {profile.increment: {traits.orders: 1}}
"""
HAND = """
flow: hand
trigger: {event: order}
nodes:
  over: {session.hand_over: {traits.customer: "{{ event.properties.customer }}"}}
"""
KEYS = Settings(keys=KeyRules(forms=((CUSTOMER, "exact"),), exclusive=frozenset({CUSTOMER})))


def order(id: str, **properties: Any) -> dict[str, Any]:
    return {"type": "order", "id": id, "properties": properties}


async def stored(store: Store, id: str) -> StoredEvent:
    found = await store.event(id)
    assert found is not None
    return found


async def refused_values(store: Store) -> dict[str | None, tuple[str, Any]]:
    """The refused values in the store: place and value, by event."""
    return {one.event: (one.at_field, json.decode(one.body)) for one in await store.rejected(100)}


@pytest.mark.parametrize(
    ("source", "mode"),
    [
        (SHOP, "none"),
        (Source(source="app", accepts=("rakam",)), "learn"),
        (Source(source="app", accepts=("track", "rakam"), schema="none"), "none"),
        (LEARN, "learn"),
        (FIXED, "fixed"),
    ],
)
def test_a_source_of_rakam_learns_unless_it_says_otherwise(source: Source, mode: str) -> None:
    assert schema_of(source) == mode


async def test_the_first_value_of_a_field_decides_its_type(store: Store) -> None:
    shop = Collector(project(sources=(LEARN,)), store)
    await shop.track(payload(order("e1", total=10, note="2020-01-01", none=None)))
    learnt = (await learnt_fields(store, "order")).fields
    assert {name: str(field.type) for name, field in learnt.items()} == {"total": "DOUBLE", "note": "STRING"}
    assert {(field.at, field.event) for field in learnt.values()} == {(shop.clock.now(), "e1")}
    assert (await stored(store, "e1")).properties == {"total": 10, "note": "2020-01-01", "none": None}


async def test_a_later_value_is_cast_or_left_out_with_its_reason(store: Store) -> None:
    shop = Collector(project(sources=(LEARN,)), store)
    answer = await shop.track(payload(order("e1", total=10), order("e2", total="12.5"), order("e3", total="?", n=1)))
    assert (await stored(store, "e2")).properties == {"total": 12.5}
    assert (await stored(store, "e3")).properties == {"n": 1}
    (kept,) = await store.rejected(10)
    reason = "the field `total` of `order` is DOUBLE, and this event has a text that spells no number"
    assert (kept.event, kept.at_field, kept.reason) == ("e3", "/properties/total", reason)
    assert (json.decode(kept.body), kept.profile, kept.session) == ("?", answer["profile"]["id"], "s-1")
    shown = {"field": "total", "type": "DOUBLE", "reason": reason}
    assert answer["debugging"]["execution"]["e3"]["refused"] == [shown]
    assert "refused" not in answer["debugging"]["execution"]["e2"]
    assert "errors" not in answer


async def test_many_refused_values_of_an_event_have_few_records(store: Store) -> None:
    shop = Collector(project(sources=(LEARN,)), store)
    names = [f"n{n}" for n in range(MAX_REFUSED + 3)]
    await shop.track(payload(order("e1", **dict.fromkeys(names, 1)), order("e2", **dict.fromkeys(names, "?"))))
    kept = {one.at_field: json.decode(one.body) for one in await store.rejected(100)}
    others = dict.fromkeys(names[MAX_REFUSED:], "?")
    assert kept == {**{f"/properties/{name}": "?" for name in names[:MAX_REFUSED]}, "/properties": others}
    (reason,) = [one.reason for one in await store.rejected(100) if one.at_field == "/properties"]
    assert reason.startswith(f"the field `n{MAX_REFUSED}` of `order` is DOUBLE, and this event has ")
    assert reason.endswith("; and 2 more values of this event could not be cast")


async def test_flows_see_what_was_refused(store: Store) -> None:
    shop = Collector(project(SUSPICIOUS, sources=(LEARN,)), store)
    answer = await shop.track(payload(order("e1", total=10), order("e2", total="?"), order("e3", total=3)))
    assert (await shop.profile(answer["profile"]["id"]))["traits"] == {"refused": ["total"]}


async def test_a_declared_type_comes_before_the_first_value(store: Store) -> None:
    shop = Collector(project(sources=(LEARN,), schemas=(ORDERS,)), store)
    await shop.track(payload(order("e1", total="7", items="a", ordered="2024-05-01T12:00:00+02:00", extra=True)))
    assert (await stored(store, "e1")).properties == {
        "total": 7,
        "items": ["a"],
        "ordered": "2024-05-01T10:00:00.000Z",
        "extra": True,
    }
    assert (await learnt_fields(store, "order")).fields.keys() == {"extra"}


async def test_a_field_that_is_declared_later_has_the_declared_type(store: Store) -> None:
    shop = Collector(project(sources=(LEARN,)), store)
    await shop.track(payload(order("e1", total="seven")))
    shop.pipeline.use(project(sources=(LEARN,), schemas=(ORDERS,)))
    await shop.track(payload(order("e2", total="8")))
    assert (await stored(store, "e2")).properties == {"total": 8}


async def test_a_time_without_an_offset_is_in_the_zone_of_the_project(store: Store) -> None:
    settings = Settings(timezone="Europe/Berlin")
    shop = Collector(project(sources=(LEARN,), schemas=(ORDERS,), settings=settings), store)
    await shop.track(payload(order("e1", ordered="2024-05-01 12:00:00")))
    assert (await stored(store, "e1")).properties == {"ordered": "2024-05-01T10:00:00.000Z"}


async def test_two_processes_agree_on_the_type_of_a_field(opened: Opener) -> None:
    store = opened()
    one, two = Collector(project(sources=(LEARN,)), store), Collector(project(sources=(LEARN,)), opened())
    await one.track(payload(order("e1", total=10)))
    await two.track(payload(order("e2", total="12"), session="s-2"))
    await two.track(payload(order("e3", total="twelve"), session="s-2"))
    assert (await stored(store, "e2")).properties == {"total": 12}
    assert (await stored(store, "e3")).properties == {}


async def test_a_known_field_costs_no_look_up() -> None:
    store = AwayStore(MemoryStore())
    shop = Shop(project(sources=(LEARN,)), store, MemorySpool())
    await shop.track(payload(order("e1", total=10, note="x")))
    store.called.clear()
    await shop.track(payload(order("e2", total="11", note=None), order("e3", total="?")))
    assert "commit" in store.called or store.commits
    assert not {name for name in store.called if "note" in name}


async def test_other_work_has_its_turn_while_many_events_are_cast() -> None:
    shop, ticks = Collector(project(sources=(LEARN,)), MemoryStore()), itertools.count()
    pipeline = shop.pipeline
    pipeline.slices = TimeSlices(lambda: float(next(ticks)))
    pipeline.use(pipeline.project)
    intake = read_track(json.encode(payload(*[order(f"e{n}", total=n) for n in range(20)])))
    request = UnitRequest.of(intake, LEARN, pipeline.clock, pipeline.new_id)
    casting = asyncio.create_task(pipeline.typed(request))
    turns = 0
    while not casting.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10
    assert len((await casting).events) == 20


async def test_a_source_without_a_schema_reads_and_learns_nothing() -> None:
    store = AwayStore(MemoryStore())
    shop = Shop(project(sources=(SHOP, DESK), schemas=(ORDERS,)), store, MemorySpool())
    await shop.track(payload(order("e1", total="x")))
    assert not {name for name in store.called if "note" in name}
    assert (await stored(store.store, "e1")).properties == {"total": "x"}


@pytest.mark.parametrize("source", [LEARN, FIXED], ids=["learn", "fixed"])
async def test_consents_are_no_fields(store: Store, source: Source) -> None:
    shop = Collector(project(sources=(source,)), store)
    answer = await shop.track(payload({"type": "consent-changed", "properties": {"consents": {"mail": True}}}))
    assert "errors" not in answer
    assert await all_learnt(store) == {}


async def test_the_value_of_an_event_that_is_not_saved_is_not_kept_either(store: Store) -> None:
    shop = Collector(project(SUSPICIOUS, sources=(LEARN,)), store)
    await shop.track(payload(order("e1", total=10)))
    answer = await shop.track(payload({**order("e2", total="?"), "options": {"saveEvents": False}}))
    assert (await shop.profile(answer["profile"]["id"]))["traits"] == {"refused": ["total"]}
    assert await store.rejected(10) == []


async def test_a_repeated_event_keeps_its_refused_value_once(store: Store) -> None:
    shop = Collector(project(sources=(LEARN,)), store)
    await shop.track(payload(order("e1", total=10)))
    for _ in range(2):
        await shop.track(payload(order("e2", total="?")))
    assert await refused_values(store) == {"e2": ("/properties/total", "?")}
    assert len(await store.rejected(10)) == 1


async def test_a_refused_value_is_erased_with_its_person(store: Store) -> None:
    shop = Collector(project(sources=(LEARN,)), store)
    answer = await shop.track(payload(order("e1", total=10), order("e2", total="+49 170 1234567")))
    assert len(await store.rejected(10)) == 1
    forgetter = Forgetter(store, shop.clock, shop.pipeline, quiet_ms=0, pause=0)
    await forgetter.finish(await forgetter.begin(answer["profile"]["id"], "a name"))
    assert await store.rejected(10) == []


async def test_a_unit_that_runs_again_after_a_conflict_decides_the_same(store: Store) -> None:
    away = AwayStore(store)
    shop, other = (
        Shop(project(COUNT, sources=(LEARN,)), away, MemorySpool()),
        Collector(project(COUNT, sources=(LEARN,)), store),
    )
    await other.track(payload(order("e1", total=10)))

    async def meanwhile() -> None:
        await other.track(payload(order("e2", total=11)))

    await shop.track(payload(order("e3", total="12")))
    away.meanwhile = meanwhile
    answer = await shop.track(payload(order("e4", total="13", new="x"), order("e5", total="?", new=1)))
    assert away.commits == 3
    assert (await shop.profile(answer["profile"]["id"]))["traits"] == {"orders": 5}
    assert (await stored(store, "e4")).properties == {"total": 13, "new": "x"}
    assert (await stored(store, "e5")).properties == {"new": "1"}
    assert len(await store.rejected(10)) == 1


async def test_a_claim_stands_though_its_unit_failed() -> None:
    away = AwayStore(MemoryStore())
    shop = Collector(project(sources=(LEARN,)), away)
    away.refused["order"] = Unavailable("no")
    with pytest.raises(Unavailable):
        await shop.track(payload(order("e1", total=10)))
    away.refused.clear()
    await shop.track(payload(order("e2", total="11")))
    assert (await stored(away.store, "e2")).properties == {"total": 11}


async def test_a_session_that_is_handed_over_keeps_what_was_refused(store: Store) -> None:
    shop = Collector(project(HAND, SUSPICIOUS, sources=(LEARN,), settings=KEYS), store)
    await shop.track(payload(order("e1", customer="c-1", total=1)))
    await shop.track(payload(order("e2", customer="c-2", total="?"), order("e3", customer="c-2", total="?")))
    assert await refused_values(store) == {
        "e2": ("/properties/total", "?"),
        "e3": ("/properties/total", "?"),
    }


# ---- limits ---------------------------------------------------------------------------------------------------------


async def test_fields_beyond_the_limit_have_no_type(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MAX_FIELDS", 2)
    store = opened()
    one, two = Collector(project(sources=(LEARN,)), store), Collector(project(sources=(LEARN,)), opened())
    await one.track(payload(order("e1", a=1, b=1)))
    for shop, id in ((one, "e2"), (two, "e3")):
        await shop.track(payload(order(id, a="2", c="x", b="?"), session=id))
        await shop.track(payload(order(f"{id} again", c=3), session=id))
        assert (await stored(store, id)).properties == {"a": 2, "c": "x"}
        assert (await stored(store, f"{id} again")).properties == {"c": 3}


async def test_a_collection_that_is_full_costs_no_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MAX_FIELDS", 2)
    away = AwayStore(MemoryStore())
    shop = Shop(project(sources=(LEARN,)), away, MemorySpool())
    await shop.track(payload(order("e1", a=1, b=1)))
    away.called.clear()
    await shop.track(payload(order("e2", c=1)))
    assert not {name for name in away.called if "note" in name}


async def test_collections_beyond_the_limit_have_no_types(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("engine.ports.learning", "engine.tracking.pipeline.field_types"):
        monkeypatch.setattr(f"{module}.MAX_COLLECTIONS", 1)
    away = AwayStore(MemoryStore())
    shop = Shop(project(sources=(LEARN,)), away, MemorySpool())
    await shop.track(payload(order("e1", total=1), {"type": "other", "id": "e2", "properties": {"total": 1}}))
    away.called.clear()
    await shop.track(payload({"type": "other", "id": "e3", "properties": {"total": "x"}}))
    assert not {name for name in away.called if "note" in name}
    await shop.track(payload(order("e4", new="x")))
    assert (await stored(away.store, "e3")).properties == {"total": "x"}
    assert set(await all_learnt(away.store)) == {"order"}
    await shop.track(payload(order("e5", new=1)))
    assert (await stored(away.store, "e5")).properties == {"new": "1"}


# ---- fixed schemas --------------------------------------------------------------------------------------------------


async def test_a_fixed_schema_rejects_an_event_with_a_new_field_and_takes_the_others(store: Store) -> None:
    shop = Collector(project(sources=(FIXED,), schemas=(ORDERS,)), store)
    events = (order("e1", total="1"), order("e2", total=2, totl=3), {"type": "seen"}, {"type": ""})
    error, malformed = (await shop.track(payload(*events)))["errors"]
    assert (error["index"], error["at"], malformed["index"]) == (1, "/events/1/properties/totl", 3)
    assert error["reason"].startswith("Schema is invalid: `order` has no field `totl`")
    assert await store.event("e2") is None
    assert (await stored(store, "e1")).properties == {"total": 1}
    (kept,) = [one for one in await store.rejected(10) if one.at_field != "/events/3/type"]
    assert (kept.at_field, kept.event, kept.session) == ("/events/1/properties/totl", None, "s-1")
    assert json.decode(kept.body)["properties"] == {"total": 2, "totl": 3}


async def test_a_payload_whose_events_are_all_rejected_is_refused(store: Store) -> None:
    shop = Collector(project(sources=(FIXED,)), store)
    with pytest.raises(Refusal) as refusal:
        await shop.track(payload(order("e1", total=1), order("e2", total=1)))
    assert refusal.value.kind == "nothing-accepted"
    assert [error["index"] for error in refusal.value.errors] == [0, 1]
    assert len(await store.rejected(10)) == 2
    assert shop.pipeline.ledger.totals().rejected == 2
    assert await all_learnt(store) == {}


async def test_a_fixed_schema_rejects_no_value_that_says_no_type(store: Store) -> None:
    shop = Collector(project(sources=(FIXED,), schemas=(ORDERS,)), store)
    await shop.track(payload(order("e1", total=1, none=None, empty=[])))
    assert (await stored(store, "e1")).properties == {"total": 1, "none": None, "empty": []}


async def test_profile_less_events_are_rejected_one_by_one(store: Store) -> None:
    shop = Collector(project(sources=(FIXED,), schemas=(ORDERS,)), store)
    answer = await shop.track(payload(order("e1", new=1), order("e2", total=1)), profile_less=True)
    assert [error["index"] for error in answer["errors"]] == [0]
    assert await store.event("e2") is not None


async def test_a_secret_source_learns_what_a_fixed_one_takes_from_then_on(opened: Opener) -> None:
    store = opened()
    both = project(sources=(FIXED, DESK))
    shop, desk = Collector(both, store), Collector(both, opened())
    with pytest.raises(Refusal):
        await shop.track(payload(order("e1", total=1)))
    body = {**payload(order("e2", total=2), session="s-2"), "source": {"id": "desk"}}
    source = both.sources["desk"]
    await desk.tracker.start()
    await desk.tracker.track(read_track(json.encode(body)), source)
    await shop.track(payload(order("e3", total="3")))
    assert (await stored(store, "e3")).properties == {"total": 3}


# ---- while the store is away ----------------------------------------------------------------------------------------


async def test_without_a_spool_a_payload_with_a_new_field_is_not_taken() -> None:
    away = AwayStore(MemoryStore())
    shop = Collector(project(sources=(LEARN,)), away)
    await shop.tracker.start()
    away.away = True
    with pytest.raises(Unavailable):
        await shop.track(payload(order("e1", total=10)))


async def test_what_was_spooled_is_cast_when_the_store_is_back(store: Store, opening: Opening) -> None:
    shop = Shop(project(COUNT, sources=(LEARN,)), AwayStore(store), opening())
    await shop.track(payload(order("e0", total=1)))
    shop.away.away = True
    for id, total in (("e1", "2"), ("e2", "?"), ("e3", 4)):
        await shop.track(payload(order(id, total=total, new=total)))
    await shop.back()
    assert [(await stored(store, id)).properties for id in ("e1", "e2", "e3")] == [
        {"total": 2, "new": "2"},
        {"new": "?"},
        {"total": 4, "new": "4"},
    ]
    assert await refused_values(store) == {"e2": ("/properties/total", "?")}
    assert ledger(shop) == {"stored": 4}


async def test_what_was_spooled_is_rejected_by_a_fixed_schema(store: Store, opening: Opening) -> None:
    shop = Shop(project(COUNT, sources=(FIXED,), schemas=(ORDERS,)), AwayStore(store), opening())
    await shop.track(payload(order("e0", total=1)))
    shop.away.away = True
    for id, more in (("e1", {}), ("e2", {"new": 1}), ("e3", {}), ("e4", {"new": 1})):
        await shop.track(payload(order(id, total=2, **more)))
    await shop.back()
    assert [await store.event(id) is not None for id in ("e1", "e2", "e3", "e4")] == [True, False, True, False]
    assert {one.at_field for one in await store.rejected(10)} == {"/events/0/properties/new"}
    assert ledger(shop) == {"stored": 3, "rejected": 2}

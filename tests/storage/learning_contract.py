"""The contract of learning the types of fields; part of the contract of all stores.

`second` is another process's view of the same store.
"""

import asyncio
from itertools import permutations, product

import pytest
from msgspec import structs

from engine.ports.learning import all_learnt, learn, learnt_collections, learnt_fields
from engine.ports.store import Store
from engine.schema import schema
from engine.schema.schema import Learnt, LearntField
from engine.schema.value_type import TYPES
from tests.engine.tracking.collector import Collector
from tests.projects import SHOP, payload, project


def claim(type: str, event: str = "e1") -> LearntField:
    return LearntField(TYPES[type], 1_000, event)


class LearningContract:
    async def test_no_field_is_known_before_one_is_claimed(self, store: Store) -> None:
        assert await learnt_fields(store, "order") == Learnt()
        assert await learnt_collections(store) == ()
        assert await all_learnt(store) == {}

    async def test_a_claim_is_kept_with_its_time_and_event(self, store: Store, second: Store) -> None:
        learnt = await learn(store, "order", {"total": claim("DOUBLE")})
        assert learnt == Learnt({"total": claim("DOUBLE")})
        assert await learnt_fields(second, "order") == learnt
        assert await learnt_collections(second) == ("order",)
        assert await all_learnt(second) == {"order": learnt}

    async def test_the_first_claim_of_a_field_wins_for_all_processes(self, store: Store, second: Store) -> None:
        await learn(store, "order", {"total": claim("DOUBLE"), "sku": claim("STRING")})
        found = await learn(second, "order", {"total": claim("STRING", "e2"), "note": claim("STRING", "e2")})
        assert found == Learnt({"total": claim("DOUBLE"), "sku": claim("STRING"), "note": claim("STRING", "e2")})
        assert await learnt_fields(store, "order") == found

    async def test_collections_have_fields_of_their_own(self, store: Store, second: Store) -> None:
        await learn(store, "order", {"total": claim("DOUBLE")})
        await learn(second, "refund", {"total": claim("STRING")})
        assert await all_learnt(store) == {
            "order": Learnt({"total": claim("DOUBLE")}),
            "refund": Learnt({"total": claim("STRING")}),
        }

    async def test_all_who_claim_a_field_at_once_get_the_same_type(self, store: Store, second: Store) -> None:
        types = ["DOUBLE", "STRING", "BOOLEAN", "ARRAY_STRING", "MAP_DOUBLE", "LONG"]
        claims = [{"total": claim(type, f"e{n}"), f"only {n}": claim(type)} for n, type in enumerate(types)]
        both = [learn([store, second][n % 2], "order", one) for n, one in enumerate(claims)]
        found = [one for one in await asyncio.gather(*both) if one is not None]
        held = await learnt_fields(store, "order")
        assert len(found) == len(types)
        assert {str(one.fields["total"]) for one in found} == {str(held.fields["total"])}
        assert held.fields.keys() == {"total", *[f"only {n}" for n in range(len(types))]}

    async def test_the_limit_of_fields_holds_for_all_processes(
        self, store: Store, second: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schema, "MAX_FIELDS", 3)
        both = [learn([store, second][n % 2], "order", {f"f{n}": claim("DOUBLE")}) for n in range(6)]
        await asyncio.gather(*both)
        held = await learnt_fields(second, "order")
        assert len(held.fields) == 3
        assert held.full
        assert await learn(store, "order", {"another": claim("DOUBLE")}) == held

    async def test_the_limit_of_collections_holds_for_all_processes(
        self, store: Store, second: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("engine.ports.learning.MAX_COLLECTIONS", 2)
        both = [learn([store, second][n % 2], f"c{n}", {"total": claim("DOUBLE")}) for n in range(4)]
        found = await asyncio.gather(*both)
        assert [one is None for one in found].count(True) == 2
        assert len(await learnt_collections(store)) == 2
        assert await learn(second, "another", {"total": claim("DOUBLE")}) is None
        assert (await all_learnt(store)).keys() == set(await learnt_collections(store))

    async def test_in_every_order_of_two_processes_the_first_type_holds(self, store: Store, second: Store) -> None:
        orders = list(permutations(["DOUBLE", "STRING", "BOOLEAN"]))
        for number, order in enumerate(orders):
            for n, type in enumerate(order):
                await learn([store, second][n % 2], f"order {number}", {"total": claim(type)})
        for each in (store, second):
            held = await all_learnt(each)
            firsts = [held[f"order {number}"].fields for number in range(len(orders))]
            assert firsts == [{"total": claim(order[0])} for order in orders]

    async def test_a_property_is_cast_or_left_out_with_its_reason_in_every_order_of_two_processes(
        self, store: Store, second: Store
    ) -> None:
        learning = project(sources=(structs.replace(SHOP, schema="learn"),))
        one, two = Collector(learning, store), Collector(learning, second)
        for number, order in enumerate(product([one, two], repeat=4)):
            sent = [
                {"type": f"order {number}", "id": f"{number} {n}", "properties": {"total": total}}
                for n, total in enumerate([10, "12.5", "a lot", 7])
            ]
            for each, event in zip(order, sent, strict=True):
                await each.track(payload(event, session=f"s {event['id']}"))
            found = [await store.event(str(event["id"])) for event in sent]
            assert [event.properties for event in found if event] == [{"total": 10}, {"total": 12.5}, {}, {"total": 7}]
        kept = {one.event: one for one in await store.rejected(100)}
        assert kept.keys() == {f"{number} 2" for number in range(16)}
        assert {(one.at_field, bytes(one.body)) for one in kept.values()} == {("/properties/total", b'"a lot"')}
        assert "`total` of `order 0` is DOUBLE" in kept["0 2"].reason

    async def test_a_fixed_schema_refuses_a_new_field_in_every_process(self, store: Store, second: Store) -> None:
        await Collector(project(sources=(structs.replace(SHOP, schema="learn"),)), store).track(
            payload({"type": "order", "id": "e1", "properties": {"total": 10}})
        )
        fixed = project(sources=(structs.replace(SHOP, schema="fixed"),))
        for number, each in enumerate((store, second)):
            collector = Collector(fixed, each)
            old = {"type": "order", "id": f"old {number}", "properties": {"total": "11"}}
            new = {"type": "order", "id": f"new {number}", "properties": {"total": 11, "totl": 12}}
            answer = await collector.track(payload(old, new, session=f"s {number}"))
            assert [error["at"] for error in answer["errors"]] == ["/events/1/properties/totl"]
            assert "Schema is invalid" in answer["errors"][0]["reason"]
            assert await each.event(f"new {number}") is None
            stored = await each.event(f"old {number}")
            assert stored is not None
            assert stored.properties == {"total": 11}

"""Forgetting and claims: which ids go with a profile, which stay, and what becomes of their keys."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from msgspec import structs

from engine.ports.kinds import SEARCHABLE
from engine.ports.records import ProfileWrite, Unit
from engine.ports.resolve import require_profile
from engine.ports.store import Store
from engine.profile.document import Profile
from engine.search.query import Query
from engine.tracking.intake.payload import Refusal
from engine.tracking.operations.export import export
from engine.tracking.operations.forgetting import Forgetter, Forgetting
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.operations.test_forgetting import Meanwhile
from tests.projects import PAGE, SHOP, USERS, payload, project

BRING = """
flow: bring-PATH
trigger: {event: PATH}
nodes:
  who: {profile.merge: {pii.PATH: "{{ event.properties.value }}"}}
"""
SOURCES = (SHOP, PAGE)


@pytest.fixture
def shop(store: Store) -> Collector:
    flows = [BRING.replace("PATH", path) for path in ("email", "phone")]
    return Collector(project(*flows, sources=SOURCES, settings=USERS), store)


async def brings(shop: Collector, session: str, source: str, path: str = "email", value: str = "x", **more: Any) -> str:
    """Send an event that brings a key. Returns the answered id: by a source that is not trusted, that of its own."""
    shop.clock.advance(1)
    event = {"type": path, "properties": {"value": value}}
    answer = await shop.track(payload(event, session=session, source={"id": source}, **more))
    id: str = answer["profile"]["id"]
    return id


async def forgotten(shop: Collector, id: str, *, claims: bool = False) -> Forgetting:
    """Forget a profile. Returns the forgetting as it was begun."""
    forgetter = Forgetter(shop.store, shop.clock, shop.pipeline, quiet_ms=0, pause=0)
    begun = await forgetter.begin(id, "n", claims=claims)
    done = await forgetter.finish(begun)
    assert (done.status, done.ids, done.by_claims, done.claims) == ("complete", (), (), ())
    return begun


async def test_a_proven_profile_goes_without_those_who_claim_its_keys(shop: Collector) -> None:
    strangers = [await brings(shop, session, "page") for session in ("s-1", "s-2")]
    hers = await brings(shop, "phone", "shop")
    joint = await require_profile(shop.store, strangers[0])
    begun = await forgotten(shop, hers)
    assert (begun.by_claims, [claim.profile for claim in begun.claims]) == ((), [joint.id])
    assert await shop.store.profile(hers) is None
    assert await require_profile(shop.store, strangers[1]) == joint


async def test_the_profiles_that_claim_its_keys_go_too_if_that_is_asked_for(shop: Collector) -> None:
    strangers = [await brings(shop, session, "page") for session in ("s-1", "s-2")]
    hers, other = await brings(shop, "phone", "shop"), await brings(shop, "s-3", "page", value="y")
    await forgotten(shop, hers, claims=True)
    assert [await shop.store.profile(id) for id in (hers, *strangers)] == [None] * 3
    assert (await shop.store.counts())["keys"] == 1
    assert (await require_profile(shop.store, other)).ids == (other,)


async def test_a_joint_profile_goes_with_the_ids_that_only_claims_have_joined(shop: Collector) -> None:
    one, two = [await brings(shop, session, "page") for session in ("s-1", "s-2")]
    begun = await forgotten(shop, two)
    assert (begun.by_claims, begun.claims) == ((one,), ())
    assert [await shop.store.profile(id) for id in (one, two)] == [None, None]
    assert (await shop.store.counts())["keys"] == 0


async def test_a_key_that_the_forgotten_one_has_left_still_joins_those_who_stayed(shop: Collector) -> None:
    first, *others = [await brings(shop, session, "page") for session in ("s-1", "s-2", "s-3")]
    await brings(shop, "till", "shop", "phone", profile={"id": first})  # her claim ceases
    await forgotten(shop, first)
    another = await brings(shop, "s-4", "page")
    assert sorted((await require_profile(shop.store, others[0])).ids) == sorted([*others, another])


# ---- units at the same time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["data_subject", "as_stored", "remove", "erase"])
@pytest.mark.parametrize("served", [True, False])
@pytest.mark.parametrize("source", ["page", "shop"])
async def test_nothing_is_left_of_a_profile_that_is_joined_or_set_apart_meanwhile(
    shop: Collector, opened: Callable[[], Store], name: str, served: bool, source: str
) -> None:
    """Another process joins the forgotten profile with a new id, or a proof sets one of its ids apart."""
    ids = [await brings(shop, session, "page") for session in ("s-1", "s-2")]
    other = Collector(shop.pipeline.project, opened())

    async def comes() -> None:
        with suppress(Refusal):
            await brings(other, "s-3", "page")
        with suppress(Refusal):
            await brings(other, "s-4", source, "phone", profile={"id": ids[1]})

    store: Any = Meanwhile(shop.store, name, comes)
    one = Forgetter(store, shop.clock, shop.pipeline if served else shop.pipeline.project, quiet_ms=0, pause=0)
    await one.finish(await one.begin(ids[0], "n"))
    assert [await shop.store.profile(id) for id in ids] == [None, None]
    left = (await shop.store.search(Query(SEARCHABLE["profiles"]), 9)).items
    events = (await shop.store.search(Query(SEARCHABLE["events"]), 9)).items
    assert len(left) <= 1
    assert not [id for id in ids if id in str((left, events))]
    assert {event.profile for event in events} == {profile.id for profile in left}  # type: ignore[union-attr]
    later = [await brings(other, session, "page") for session in ("s-5", "s-6")]
    joint = await require_profile(shop.store, later[0])
    assert {*later, *[profile.id for profile in left]} == set(joint.ids)  # type: ignore[union-attr]


# ---- devices --------------------------------------------------------------------------------------------------------


async def visits(shop: Collector, user: str | None = None) -> str:
    """Send an event of the visitor `tablet`, as a user or before the login. Returns the answered id."""
    shop.clock.advance(1)
    body = payload("seen", session=None, visitor={"id": "tablet"}, **({"user": {"id": user}} if user else {}))
    id: str = (await shop.track(body))["profile"]["id"]
    return id


@pytest.mark.parametrize("user", [None, "u-1"], ids=["before the login", "as the same user"])
async def test_a_forgotten_user_who_comes_back_on_the_device_is_refused(shop: Collector, user: str | None) -> None:
    await visits(shop)
    await forgotten(shop, await visits(shop, "u-1"))
    with pytest.raises(Refusal) as refusal:
        await visits(shop, user)
    assert refusal.value.kind == "forgotten"


async def test_another_user_of_the_device_of_a_forgotten_one_does_not_get_the_device(shop: Collector) -> None:
    device = await visits(shop)
    first, second = await visits(shop, "u-1"), await visits(shop, "u-2")
    assert first == device != second
    await forgotten(shop, first)
    assert await visits(shop, "u-2") == second
    await visits(shop, "u-3")
    assert await shop.store.profile(device) is None
    with pytest.raises(Refusal):
        await visits(shop)


async def test_a_forgotten_user_gets_a_new_profile_on_another_device(shop: Collector) -> None:
    first = await visits(shop, "u-1")
    await forgotten(shop, first)
    body = payload("seen", session=None, visitor={"id": "phone"}, user={"id": "u-1"})
    second = (await shop.track(body))["profile"]["id"]
    assert first not in (await require_profile(shop.store, second)).ids


# ---- documents that are to be set apart -----------------------------------------------------------------------------


async def several_groups(shop: Collector) -> tuple[str, str]:
    """Store a joint profile of two ids as an upgrade may leave it: the claim of one has ceased. Returns both ids."""
    one, two = [await brings(shop, session, "page") for session in ("s-1", "s-2")]
    joint = await require_profile(shop.store, one)
    links = {
        link.id: structs.replace(link, ceased=shop.clock.now()) if link.left == one else link
        for link in joint.links.values()
    }
    written = structs.replace(joint, links=links, version=joint.version + 1)
    await shop.store.commit(Unit(profiles=(ProfileWrite(written, joint.version),)))
    return one, two


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("served", [True, False])
async def test_of_a_document_with_several_groups_only_the_one_asked_for_goes(
    shop: Collector, first: bool, served: bool
) -> None:
    ids = await several_groups(shop)
    gone, stays = ids if first else ids[::-1]
    by: Any = shop.pipeline if served else shop.pipeline.project
    one = Forgetter(shop.store, shop.clock, by, quiet_ms=0, pause=0)
    begun = await one.begin(gone, "n")
    assert (begun.ids, begun.by_claims) == ((gone,), ())
    assert (await one.finish(begun)).erased["events"] == 1
    assert await shop.store.profile(gone) is None
    assert (await require_profile(shop.store, stays)).ids == (stays,)
    assert len(await shop.store.events_of(stays, 9)) == 1


@pytest.mark.parametrize("first", [True, False])
async def test_of_a_document_with_several_groups_only_the_one_asked_for_is_exported(
    shop: Collector, first: bool
) -> None:
    ids = await several_groups(shop)
    own, other = ids if first else ids[::-1]
    exported = [record async for record in export(shop.store, own)]
    assert [record.ids for _, record in exported if isinstance(record, Profile)] == [(own,)]
    assert {record.profile for kind, record in exported if kind in ("sessions", "events", "runs")} == {own}  # type: ignore[attr-defined]
    assert other not in str([record for kind, record in exported if kind != "profiles"])

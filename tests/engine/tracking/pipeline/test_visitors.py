"""Visitors and users: who is joined with whom when payloads name the device and the account."""

from itertools import permutations
from typing import Any

import pytest

from engine.ports.store import Store
from tests.engine.tracking.collector import Collector
from tests.projects import PAGE, SHOP, USERS, payload, project

COUNT = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
EMAIL = """
flow: mail
trigger: {event: mail}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}, next: {merged: [], unchanged: [], other: []}}
"""
ENTERED = """
flow: entered
trigger: {event: segment-entered}
nodes:
  add: {profile.increment: {traits.entered: 1}}
"""
SOURCES = (SHOP, PAGE)


def collector(store: Store) -> Collector:
    return Collector(project(COUNT, EMAIL, settings=USERS, sources=SOURCES), store)


async def send(
    shop: Collector, visitor: str | None, user: str | None = None, *events: Any, source: str = "shop"
) -> str:
    """Send events (one that counts, unless others are given) of a visitor and a user; returns the answered id."""
    shop.clock.advance(1)
    body = payload(*(events or ("counted",)), session=None, source={"id": source})
    body |= {"visitor": {"id": visitor}} if visitor else {}
    body |= {"user": {"id": user}} if user else {}
    answer = await shop.track(body)
    id: str = answer["profile"]["id"]
    return id


def mail(email: str) -> dict[str, Any]:
    return {"type": "mail", "properties": {"email": email}}


async def test_events_of_a_visitor_before_the_login_belong_to_its_user(store: Store) -> None:
    shop = collector(store)
    before = await send(shop, "tablet")
    user = await send(shop, "tablet", "U1")
    assert user == before
    profile = await shop.profile(user)
    assert (profile["traits"], len(profile["ids"])) == ({"count": 2, "customer": "U1"}, 2)


async def test_a_login_enters_no_segment_that_the_device_was_in(store: Store) -> None:
    seen = project(COUNT, ENTERED, segments={"seen": "profile.traits.count >= 1"}, settings=USERS, sources=SOURCES)
    shop = Collector(seen, store)
    await send(shop, "tablet")
    user = await send(shop, "tablet", "U1", "looked")
    assert (await shop.profile(user))["traits"] == {"count": 1, "customer": "U1", "entered": 1}


@pytest.mark.parametrize("source", ["shop", "page"])
async def test_two_users_of_one_device_stay_two_and_the_first_one_has_its_past(store: Store, source: str) -> None:
    shop = collector(store)
    await send(shop, "tablet", source=source)
    await send(shop, "tablet", "U1", source=source)
    await send(shop, "tablet", "U2", source=source)
    await send(shop, "tablet", source=source)
    one = await shop.profile(await send(shop, "phone-1", "U1", source=source))
    two = await shop.profile(await send(shop, "phone-2", "U2", source=source))
    assert one["id"] != two["id"]
    assert one["traits"] == {"count": 4, "customer": "U1"}
    assert two["traits"] == {"count": 2, "customer": "U2"}


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_in_any_order_each_user_has_one_profile(store: Store, order: tuple[int, ...]) -> None:
    shop = collector(store)
    facts = [("tablet", "U1"), ("tablet", "U2"), ("phone", "U1"), ("phone", "U2")]
    for at in order:
        await send(shop, *facts[at])
    one, two = await send(shop, "tablet", "U1"), await send(shop, "tablet", "U2")
    assert one != two
    assert (await send(shop, "phone", "U1"), await send(shop, "phone", "U2")) == (one, two)
    assert [(await shop.profile(id))["traits"] for id in (one, two)] == [
        {"count": 4, "customer": "U1"},
        {"count": 4, "customer": "U2"},
    ]


async def test_a_proven_address_does_not_join_another_user(store: Store) -> None:
    shop = collector(store)
    one = await send(shop, "phone", "U1", mail("ann@example.com"))
    two = await send(shop, "tablet", "U2", mail("ann@example.com"))
    assert one != two
    assert (await shop.profile(two))["pii"] == {}


async def test_a_server_that_names_users_only_has_one_id_for_each(store: Store) -> None:
    shop = collector(store)
    first = await send(shop, None, "U1")
    assert await send(shop, None, "U1") == first
    assert await send(shop, "phone", "U1") == first


async def test_the_session_does_not_say_whose_the_events_are(store: Store) -> None:
    shop = collector(store)
    found = []
    for user in ("U1", "U2"):
        body = payload("counted", session="one", visitor={"id": "tablet"}, user={"id": user})
        found.append((await shop.track(body))["profile"]["id"])
    assert found[0] != found[1]


async def test_a_claimed_user_joins_those_who_claim_it_and_not_the_proven_one(store: Store) -> None:
    shop = collector(store)
    proven = await send(shop, "phone", "U1")
    one = await send(shop, "laptop", "U1", source="page")
    two = await send(shop, "tablet", "U1", source="page")
    claimed = await shop.profile(one)
    assert (claimed["traits"]["count"], len(claimed["ids"])) == (2, 4)  # each pair, and its device
    assert (await shop.profile(two))["id"] == claimed["id"] != proven
    assert (await shop.profile(proven))["traits"]["count"] == 1


async def test_a_known_pair_reads_nothing_but_its_marks(store: Store) -> None:
    shop = collector(store)
    for user in ("U1", "U2"):
        await send(shop, "tablet", user)
    asked: list[str] = []
    read = store.profile

    async def counted(id: str) -> Any:
        asked.append(id)
        return await read(id)

    store.profile = counted  # type: ignore[method-assign]
    for user in ("U1", "U2"):
        await send(shop, "tablet", user)
    assert asked == []


async def test_a_user_of_more_devices_than_a_profile_has_ids_stays_one(store: Store) -> None:
    shop = collector(store)
    ids = {await send(shop, f"device-{number}", "U1") for number in range(60)}
    assert len(ids) == 1
    profile = await shop.profile(ids.pop())
    assert (profile["traits"]["count"], len(profile["ids"]) <= 100) == (60, True)


async def test_a_claimed_user_of_too_many_devices_stays_by_itself(store: Store) -> None:
    shop = collector(store)
    ids = [await send(shop, f"device-{number}", "U1", source="page") for number in range(52)]
    assert len({(await shop.profile(id))["id"] for id in ids[:50]}) == 1
    assert len({(await shop.profile(id))["id"] for id in ids[50:]}) == 2

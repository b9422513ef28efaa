"""The profiles that claim what another one has proven, and the ids that only claims join with one."""

from typing import Any

import pytest

from engine.ports.resolve import require_profile
from engine.ports.store import Store
from engine.profile.operator_view import by_claims
from engine.tracking.operations.claiming import Claiming, claiming
from engine.tracking.operations.unmerging import unmerge_served
from tests.engine.tracking.collector import Collector
from tests.projects import PAGE, SHOP, payload, project

LOGIN_OF = """
flow: login-of-PATH
trigger: {event: PATH}
nodes:
  who: {profile.merge: {pii.PATH: "{{ event.properties.value }}"}}
"""


@pytest.fixture
def shop(store: Store) -> Collector:
    return Collector(
        project(*[LOGIN_OF.replace("PATH", path) for path in ("email", "phone")], sources=(SHOP, PAGE)), store
    )


async def proves(shop: Collector, session: str, path: str, value: str) -> str:
    return await _brings(shop, payload(_event(path, value), session=session))


async def claims(shop: Collector, session: str, path: str, value: str) -> str:
    return await _brings(shop, payload(_event(path, value), session=session, source={"id": "page"}))


def _event(path: str, value: str) -> dict[str, Any]:
    return {"type": path, "properties": {"value": value}}


async def _brings(shop: Collector, body: dict[str, Any]) -> str:
    shop.clock.advance(1)
    answer = await shop.track(body)
    id: str = answer["profile"]["id"]
    return id


async def claimed(shop: Collector, id: str) -> list[Claiming]:
    return await claiming(shop.store, await require_profile(shop.store, id), id)


async def test_the_joint_profile_behind_a_proven_key_is_found_by_each_of_her_ids(shop: Collector) -> None:
    strangers = [await claims(shop, name, "email", "ann@x.org") for name in ("s-1", "s-2")]
    hers = [await proves(shop, name, "email", "ann@x.org") for name in ("phone", "laptop")]
    joint = await require_profile(shop.store, strangers[0])
    assert sorted(joint.ids) == sorted(strangers)
    for id in hers:
        assert await claimed(shop, id) == [Claiming("pii.email", joint.id, joint.ids)]


async def test_a_first_claim_that_no_link_records_is_found_too(shop: Collector) -> None:
    ann = await proves(shop, "phone", "email", "ann@x.org")
    stranger = await claims(shop, "s-1", "email", "ann@x.org")
    assert await claimed(shop, ann) == [Claiming("pii.email", stranger, (stranger,))]


async def test_each_proven_key_has_an_entry(shop: Collector) -> None:
    for path in ("phone", "email"):
        ann = await proves(shop, "her phone", path, "1")
    stranger = await claims(shop, "s-1", "email", "1")
    await claims(shop, "s-1", "phone", "1")
    assert [one.key for one in await claimed(shop, ann)] == ["pii.email", "pii.phone"]
    assert {one.profile for one in await claimed(shop, ann)} == {stranger}


async def test_a_claim_that_was_undone_is_no_claim(shop: Collector) -> None:
    ann = await proves(shop, "phone", "email", "ann@x.org")
    bo, cem = [await claims(shop, name, "email", "ann@x.org") for name in ("s-1", "s-2")]
    joint = await require_profile(shop.store, bo)
    (link,) = [link.id for link in joint.links.values() if link.left == bo]
    await unmerge_served(shop.pipeline, bo, link)
    assert await claimed(shop, ann) == [Claiming("pii.email", cem, (cem,))]


async def test_a_claim_of_one_who_is_proven_by_now_is_no_claim(shop: Collector) -> None:
    ann = await proves(shop, "phone", "email", "ann@x.org")
    bo = await claims(shop, "s-1", "email", "ann@x.org")
    await _brings(shop, payload(_event("phone", "7"), session="till", profile={"id": bo}))
    assert await claimed(shop, ann) == []


async def test_the_profile_of_claims_has_claimed_no_keys_of_others(shop: Collector) -> None:
    await proves(shop, "phone", "email", "ann@x.org")
    strangers = [await claims(shop, name, "email", "ann@x.org") for name in ("s-1", "s-2")]
    assert await claimed(shop, strangers[0]) == []


async def test_the_ids_that_only_claims_join_depend_on_the_id_that_is_asked_for(shop: Collector) -> None:
    one, two = [await claims(shop, name, "email", "ann@x.org") for name in ("s-1", "s-2")]
    joint = await require_profile(shop.store, one)
    assert {by_claims(joint, one), by_claims(joint, two)} == {(two,), (one,)}
    hers = [await proves(shop, name, "email", "ann@x.org") for name in ("phone", "laptop")]
    assert by_claims(await require_profile(shop.store, hers[0]), hers[1]) == ()

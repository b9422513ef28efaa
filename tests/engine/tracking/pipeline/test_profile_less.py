"""Events that come without a profile: whom flows attach them to, and what is stored of it."""

from typing import Any

import pytest

from effects.scripted import ScriptedPerformer
from engine.flow.ask import HttpReply
from engine.ports.history import events_of
from engine.ports.ids import derived_id
from engine.ports.records import StoredEvent
from engine.ports.resolve import require_profile
from engine.ports.store import Store
from engine.project.source import Source, Target
from engine.tracking.operations.unmerging import unmerge_served
from tests.engine.tracking.collector import Collector
from tests.projects import SHOP, payload, project

KNOW = """
flow: know
trigger: {event: login}
nodes:
  who: {profile.merge: {traits.card: "{{ event.properties.card }}"}}
"""
BY_KEY = """
flow: by-key
trigger: {event: by-key}
nodes:
  who: {profile.attach: {key: {traits.card: "{{ event.properties.card }}"}}, next: {attached: count, missing: nobody}}
  count: {profile.increment: {traits.coupons: 1}}
  nobody: {log: nobody}
"""
BY_ID = """
flow: by-id
trigger: {event: by-id}
nodes:
  who: {profile.attach: {id: "{{ event.properties.id }}"}, next: {attached: count, missing: nobody}}
  count: {profile.increment: {traits.coupons: 1}}
  nobody: {log: nobody}
"""
BY_LOOKUP = """
flow: by-lookup
trigger: {event: by-lookup}
nodes:
  ask: {lookup.http: {target: crm, path: "/coupons/{{ event.properties.code }}"}, next: {found: who}}
  who: {profile.attach: {key: {traits.card: "{{ nodes.ask.out.card }}"}}, next: {attached: count, missing: nobody}}
  count: {profile.increment: {traits.coupons: 1}}
  nobody: {log: nobody}
"""
VISIT = """
flow: visit
trigger: {event: visit}
nodes:
  visit: {session.attach: "{{ event.properties.session }}", next: note}
  note: {session.set: {properties.coupon: "{{ event.properties.code }}"}}
"""
ALIAS = """
flow: alias
trigger: {event: alias}
nodes:
  who: {profile.alias: "{{ event.properties.other }}"}
"""
TARGETS = {"crm": Target(url="https://crm.example")}
LINK = Source(source="page", identify="link")
CARD = {"card": "c-1"}


@pytest.fixture
def shop(store: Store) -> Collector:
    crm = ScriptedPerformer()
    crm.on("crm", "/coupons/SPRING", HttpReply(200, {"card": "c-1"}))
    crm.on("crm", "/coupons/AUTUMN", HttpReply(200, {"card": "c-2"}))
    flows = (KNOW, BY_KEY, BY_ID, BY_LOOKUP, VISIT, ALIAS)
    return Collector(project(*flows, targets=TARGETS, sources=(SHOP, LINK)), store, crm)


def event(type: str, **properties: Any) -> dict[str, Any]:
    return {"type": type, "properties": properties}


async def known(shop: Collector, session: str = "phone", **properties: Any) -> str:
    """Create a profile with a card (or the given values) and return its id."""
    shop.clock.advance(1)
    answer = await shop.track(payload(event("login", **(properties or CARD)), session=session))
    id: str = answer["profile"]["id"]
    return id


async def sent(shop: Collector, type: str, source: str = "shop", **properties: Any) -> StoredEvent:
    """A profile-less event as it is stored."""
    shop.clock.advance(1)
    body = {**payload({**event(type, **properties), "id": "e-1"}, session="till"), "source": {"id": source}}
    answer = await shop.track(body, profile_less=True)
    assert answer["profile"] == {"id": None}
    stored = await shop.store.event("e-1")
    assert stored is not None
    return stored


@pytest.mark.parametrize(
    ("type", "properties"),
    [
        pytest.param("by-key", {"card": " c-1"}, id="a trait that is a key"),
        pytest.param("by-id", {"id": "known"}, id="an id"),
        pytest.param("by-lookup", {"code": "SPRING"}, id="what a look-up answers"),
    ],
)
async def test_the_event_belongs_to_the_profile_that_was_found(
    shop: Collector, type: str, properties: dict[str, str]
) -> None:
    id = await known(shop)
    stored = await sent(shop, type, **{name: id if value == "known" else value for name, value in properties.items()})
    assert stored.profile is not None
    assert (stored.profile == id) is (type == "by-id")  # by a key it belongs to the id of the key's own
    profile = await require_profile(shop.store, stored.profile)
    assert [found.id for found in await events_of(shop.store, profile, 1)] == ["e-1"]
    assert (profile.id, (await shop.profile(id))["traits"]["coupons"]) == (id, 1)


async def test_events_of_one_key_belong_to_one_id_of_its_own_that_no_visitor_has(shop: Collector) -> None:
    id = await known(shop)
    first = await sent(shop, "by-key", card="c-1")
    shop.clock.advance(1)
    await shop.track({**payload({**event("by-key", card="c-1"), "id": "e-2"}, session="desk")}, profile_less=True)
    second = await shop.store.event("e-2")
    assert second is not None
    key_id = derived_id(await shop.store.secret(), "attached by key", "traits.card", "c-1")
    assert (first.profile, second.profile) == (key_id, key_id)
    profile = await require_profile(shop.store, id)
    assert set(profile.ids) == {id, key_id}
    assert {(link.left, link.kind) for link in profile.links.values()} == {(id, "proof"), (key_id, "proof")}


async def test_an_event_that_was_attached_by_a_claimed_key_goes_to_the_one_who_proves_the_key(shop: Collector) -> None:
    """With authority a key that is only claimed is found, too, until it has been proven."""
    page = {**payload(event("login", card="c-1"), session="page"), "source": {"id": "page"}}
    claims = (await shop.track(page))["profile"]["id"]
    await sent(shop, "by-key", card="c-1")
    assert (await shop.profile(claims))["traits"] == {"card": "c-1", "coupons": 1}
    proves = await known(shop)
    assert (await shop.profile(proves))["traits"] == {"card": "c-1"}
    shop.clock.advance(1)
    await shop.track({**payload({**event("by-key", card="c-1"), "id": "e-2"}, session="desk")}, profile_less=True)
    assert (await shop.profile(proves))["traits"] == {"card": "c-1", "coupons": 2}
    assert (await shop.profile(claims))["traits"] == {"card": "c-1"}
    for event_id in ("e-1", "e-2"):
        stored = await shop.store.event(event_id)
        assert stored is not None
        assert proves in (await shop.profile(str(stored.profile)))["ids"]


@pytest.mark.parametrize(
    ("type", "properties"),
    [
        pytest.param("by-key", {"card": "c-9"}, id="a key of nobody"),
        pytest.param("by-id", {"id": "made-up"}, id="an id of nobody"),
        pytest.param("by-lookup", {"code": "AUTUMN"}, id="a look-up that leads to nobody"),
        pytest.param("by-lookup", {"code": "WINTER"}, id="a look-up that finds nothing"),
        pytest.param("by-key", {"card": "null"}, id="a placeholder"),
        pytest.param("by-key", {}, id="no key at all"),
    ],
)
async def test_an_event_that_finds_no_profile_is_stored_without_one(
    shop: Collector, type: str, properties: dict[str, str]
) -> None:
    await known(shop)
    stored = await sent(shop, type, **properties)
    assert (stored.profile, stored.session) == (None, "till")
    assert (await shop.store.counts())["profiles"] == 1


async def links_of_keys(shop: Collector, id: str) -> set[str]:
    profile = await require_profile(shop.store, id)
    return {link.id for link in profile.links.values() if link.right not in profile.parts}


@pytest.mark.parametrize("type", ["by-id", "by-key"])
async def test_an_event_stays_with_the_id_that_led_to_the_profile_if_that_is_set_apart(
    shop: Collector, type: str
) -> None:
    first, second = await known(shop, "phone", card="c-1"), await known(shop, "laptop", card="c-2")
    await shop.track(payload(event("alias", other=first), session="laptop"))
    (alias,) = (await require_profile(shop.store, first)).links.keys() - (await links_of_keys(shop, first))
    await sent(shop, type, id=second, card="c-2")
    profile = await shop.store.profile(second)
    assert profile is not None
    assert profile.id == first
    assert "e-1" in [found.id for found in await events_of(shop.store, profile, 10)]
    await unmerge_served(shop.pipeline, first, alias)
    assert (await shop.profile(second))["traits"] == {"card": "c-2", "coupons": 1}
    assert (await shop.profile(first))["traits"] == {"card": "c-1"}
    for id, ids in ((first, []), (second, ["e-1"])):
        side = await shop.store.profile(id)
        assert side is not None
        assert [found.id for found in await events_of(shop.store, side, 10) if found.id == "e-1"] == ids


async def test_an_event_is_given_a_session_and_is_stored_with_it(shop: Collector) -> None:
    id = await known(shop, "phone")
    body = {"type": "visit", "id": "e-1", "properties": {"session": "phone", "code": "SPRING"}}
    intake = {**payload(body, session=None)}
    await _collect(shop, intake)
    stored, session = await shop.store.event("e-1"), await shop.store.session("shop", "phone")
    assert stored is not None
    assert session is not None
    assert (stored.session, session.properties, session.profile) == ("phone", {"coupon": "SPRING"}, id)


async def _collect(shop: Collector, body: dict[str, Any]) -> None:
    """Send as `/collect/TYPE/SOURCE` does: neither a profile nor a session is made."""
    import msgspec

    from engine.tracking.intake.admission import admit
    from engine.tracking.intake.payload import read_track

    intake = msgspec.structs.replace(read_track(msgspec.json.encode(body), profile_less=True), sessionless=True)
    await shop.tracker.start()
    await shop.tracker.track(intake, admit(shop.pipeline.project.sources, "shop", None, None))


async def test_a_public_source_attaches_a_profile_of_those_who_claim_the_key_without_seeing_it(
    shop: Collector,
) -> None:
    page = {**payload(event("login", card="c-1"), session="page"), "source": {"id": "page"}}
    id = (await shop.track(page))["profile"]["id"]
    stored = await sent(shop, "by-key", source="page", card="c-1")
    key_id = derived_id(await shop.store.secret(), "attached by key", "page", "traits.card", "c-1")
    assert stored.profile == key_id
    profile = await require_profile(shop.store, id)
    assert set(profile.ids) == {id, key_id}
    assert {link.kind for link in profile.links.values()} == {"claim"}
    session = await shop.store.session("page", "till")
    assert session is not None
    assert session.profile is None


async def test_a_public_source_attaches_nothing_to_one_who_has_proven_the_key(shop: Collector) -> None:
    id = await known(shop)
    stored = await sent(shop, "by-key", source="page", card="c-1")
    assert stored.profile is None
    assert (await shop.profile(id))["ids"] == [id]

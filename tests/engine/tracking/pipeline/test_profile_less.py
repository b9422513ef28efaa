"""Events that come without a profile: whom flows attach them to, and what is stored of it."""

from typing import Any

import pytest

from effects.scripted import ScriptedPerformer
from engine.flow.ask import HttpReply
from engine.ports.history import events_of
from engine.ports.records import StoredEvent
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
    assert stored.profile == id
    assert [found.id for found in await shop.store.events_of(id, 1)] == ["e-1"]
    assert (await shop.profile(id))["traits"]["coupons"] == 1


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


@pytest.mark.parametrize("type", ["by-id", "by-key"])
async def test_it_belongs_to_the_id_that_led_there_also_when_profiles_are_set_apart(shop: Collector, type: str) -> None:
    first, second = await known(shop, "phone", card="c-1"), await known(shop, "laptop", card="c-2")
    await shop.track(payload(event("alias", other=first), session="laptop"))
    stored = await sent(shop, type, id=second, card="c-2")
    assert stored.profile == second
    profile = await shop.store.profile(second)
    assert profile is not None
    assert profile.id == first
    assert "e-1" in [found.id for found in await events_of(shop.store, profile, 10)]
    (step,) = profile.links
    await unmerge_served(shop.pipeline, first, step)
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


async def test_a_public_source_attaches_a_profile_without_seeing_it(shop: Collector) -> None:
    id = await known(shop)
    stored = await sent(shop, "by-key", source="page", card="c-1")
    assert stored.profile == id
    session = await shop.store.session("page", "till")
    assert session is not None
    assert session.profile is None

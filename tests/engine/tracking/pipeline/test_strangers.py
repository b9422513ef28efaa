"""Strangers who know a person's address and user id: what they can learn of her, and what they can change for her."""

from typing import Any

import pytest

from engine.ports.store import Store
from engine.profile.key import KeyRules
from engine.project.project import Settings
from engine.project.source import Source
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project

HELLO = "{respond: {hello: there}}"
MAIL = f"""
flow: mail
trigger: {{event: mail}}
nodes:
  who:
    profile.merge: {{pii.email: "{{{{ event.properties.email }}}}"}}
    next: {{merged: say, unchanged: say, other: say}}
  say: {HELLO}
"""
ATTACH = f"""
flow: attach
trigger: {{event: attach}}
nodes:
  who:
    profile.attach: {{key: {{pii.email: "{{{{ event.properties.email }}}}"}}}}
    next: {{attached: say, missing: say, failed: say}}
  say: {HELLO}
"""
CREATE = """
flow: create
trigger: {event: create}
nodes:
  who:
    profile.attach: {key: {pii.email: "{{ event.properties.email }}"}, create: true}
    next: count
  count: {profile.increment: {traits.count: 1}}
"""
LOOK = f"""
flow: look
trigger: {{event: look}}
nodes:
  who:
    lookup.profile: {{key: {{pii.email: "{{{{ event.properties.email }}}}"}}}}
    next: {{found: say, missing: say}}
  say: {HELLO}
"""
HAND = """
flow: hand
trigger: {event: hand}
nodes:
  see: {if: "profile.traits.city != 'Rome'", next: {then: over, else: over}}
  over: {session.hand_over: {traits.customer: "{{ event.properties.customer }}"}}
"""
CITY = """
flow: city
trigger: {event: city}
nodes:
  set: {profile.set: {traits.city: "{{ event.properties.city }}"}}
"""
CREATED = """
flow: created
trigger: {event: profile-created}
nodes:
  say: {respond: {new: true}}
"""
CUSTOMER = ("traits", "customer")
RULES = KeyRules(forms=((CUSTOMER, "exact"),), exclusive=frozenset({CUSTOMER}), user=CUSTOMER)
SOURCES = (
    Source(source="till", identify="trust"),
    Source(source="page", identify="link", profiles=True, debugger=True),
)
ANN = {"email": "ann@example.com"}
PHONE: dict[str, Any] = {"visitor": {"id": "phone of Ann"}, "user": {"id": "U1"}}
STRANGER: dict[str, Any] = {"visitor": {"id": "phone of a stranger"}, "user": {"id": "U2"}}


def shop_of(store: Store) -> Collector:
    flows = (MAIL, ATTACH, CREATE, LOOK, HAND, CITY, CREATED)
    return Collector(project(*flows, settings=Settings(keys=RULES), sources=SOURCES), store)


def event(type: str, **properties: str) -> dict[str, Any]:
    return {"type": type, "properties": properties}


async def send(
    shop: Collector, session: str, sent: dict[str, Any], source: str = "page", **more: Any
) -> dict[str, Any]:
    """The answer to an event of a session; `more` are members of the payload."""
    shop.clock.advance(1)
    profile_less = sent["type"] == "create"
    body = payload(sent, session=session, source={"id": source}, **more)
    return await shop.track(body, profile_less=profile_less)


async def ann_claims_and_proves(shop: Collector) -> None:
    """Ann claims her address and her user id on her phone, and proves another address."""
    first = await send(shop, "ann", event("mail", **ANN), **PHONE)
    await send(shop, "till", event("mail", email="ann@work.example"), "till", profile=first["profile"])


def ports(answer: dict[str, Any]) -> list[str]:
    """The ports by which nodes left, in order."""
    runs = [run for one in answer["debugging"]["execution"].values() for run in one["runs"]]
    return [step["port"] for run in runs for step in run.get("steps", [])]


async def test_a_proven_sender_is_answered_as_before_where_a_flow_attaches_by_a_key_that_a_stranger_claims(
    store: Store,
) -> None:
    shop = shop_of(store)
    first = await send(shop, "ann", event("mail", **ANN))
    await send(shop, "till", event("mail", **ANN), "till", profile=first["profile"])
    before = await send(shop, "ann", event("attach", **ANN))
    await send(shop, "stranger", event("mail", **ANN))
    after = await send(shop, "ann", event("attach", **ANN))
    assert after["response"] == before["response"] == {"hello": "there"}
    assert ports(after) == ports(before) == ["attached", "done"]


@pytest.mark.parametrize(
    ("type", "paired"),
    [("mail", False), ("look", False), ("attach", False), ("mail", True)],
    ids=["merge", "lookup", "attach", "user"],
)
async def test_a_stranger_does_not_learn_that_a_proven_person_has_claimed_a_key_before(
    store: Store, type: str, paired: bool
) -> None:
    answers = []
    shop = shop_of(store)
    await ann_claims_and_proves(shop)
    for email, user in (("nobody@example.com", "U3"), ("ann@example.com", "U1")):
        named: dict[str, Any] = {"visitor": {"id": f"stranger {user}"}, "user": {"id": user}} if paired else {}
        answers.append(await send(shop, f"stranger {user}", event(type, email=email), **named))
    unknown, known = answers
    assert known["response"] == unknown["response"]
    assert ports(known) == ports(unknown)
    assert known["debugging"].keys() == unknown["debugging"].keys()


@pytest.mark.parametrize("type", ["mail", "other"])
async def test_no_answer_tells_a_stranger_the_id_of_one_who_claims_a_key_no_longer(store: Store, type: str) -> None:
    shop = shop_of(store)
    first = await send(shop, "ann", event("mail", **ANN), **PHONE)
    await send(shop, "till", event("mail", email="ann@work.example"), "till", profile=first["profile"])
    ids = (await shop.profile(first["profile"]["id"]))["ids"]
    pair = {**STRANGER, "user": PHONE["user"]} if type == "other" else {}
    answer = await send(shop, "stranger", event(type, **ANN), **pair)
    assert "hold-key" in str(answer)
    assert not [id for id in ids if id in str(answer)]


async def test_an_event_gets_a_new_profile_by_a_key_that_nobody_claims_any_more(store: Store) -> None:
    shop = shop_of(store)
    await ann_claims_and_proves(shop)
    for _ in range(2):
        await send(shop, "desk", event("create", **ANN))
    last = await send(shop, "stranger", event("mail", **ANN))
    found = await shop.profile(last["profile"]["id"])
    assert found["traits"] == {"count": 2}


async def test_handing_a_session_over_shows_nothing_of_a_joint_profile(store: Store) -> None:
    shop = shop_of(store)
    await send(shop, "ann", event("city", city="Oslo"))
    await send(shop, "ann", event("mail", **ANN))
    await send(shop, "stranger", event("mail", **ANN), **STRANGER)
    over = event("hand", customer="U9") | {"id": "one"}
    first = await send(shop, "stranger", over, **STRANGER)
    again = await send(shop, "stranger", over, **STRANGER)
    for answer in (first, again):
        assert "Oslo" not in str(answer)
    assert "handed_over" in ports(first)


async def test_handing_a_session_over_shows_the_run_that_was_given_up_to_its_own_person(store: Store) -> None:
    shop = shop_of(store)
    await send(shop, "one", event("city", city="Oslo"), **STRANGER)
    answer = await send(shop, "one", event("hand", customer="U9"), **STRANGER)
    assert "Oslo" in str(answer["debugging"])

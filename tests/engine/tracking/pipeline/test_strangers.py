"""Strangers who know a person's address and user id: what they can learn of her, and what they can change for her."""

from typing import Any

import pytest
from msgspec import structs

from engine.ports.store import Store
from engine.project.source import Source
from engine.tracking.intake.user_token import Claims, sign
from tests.engine.tracking.collector import Collector
from tests.projects import PAGE, USERS, payload, project

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
TELL = """
flow: tell
trigger: {event: tell}
nodes:
  say: {respond: {city: "{{ profile.traits.city or 'nowhere' }}"}}
"""
DEDUCE = """
flow: deduce
trigger: {event: deduce}
nodes:
  is: {if: "'l' in (profile.traits.city or '')", next: {then: say}}
  say: {respond: {city: known}}
"""
FILTERED = """
flow: filtered
trigger: {event: filtered, when: "profile.traits.city == 'Rome'"}
nodes:
  say: {respond: {city: known}}
"""
CREATED = """
flow: created
trigger: {event: profile-created}
nodes:
  say: {respond: {new: true}}
"""
SECRET = "s3cret-of-the-shop-and-its-back-end"
SOURCES = (Source(source="till", identify="trust"), structs.replace(PAGE, user_secret=SECRET))
ANN = {"email": "ann@example.com"}
PHONE: dict[str, Any] = {"visitor": {"id": "phone of Ann"}, "user": {"id": "U1"}}
STRANGER: dict[str, Any] = {"visitor": {"id": "phone of a stranger"}, "user": {"id": "U2"}}


def shop_of(store: Store) -> Collector:
    flows = (MAIL, ATTACH, CREATE, LOOK, HAND, CITY, TELL, DEDUCE, FILTERED, CREATED)
    return Collector(project(*flows, settings=USERS, sources=SOURCES), store)


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


def token(shop: Collector, email: str) -> str:
    """A user token for an address."""
    return sign(Claims(aud="page", exp=shop.clock.now() / 1000 + 600, keys={"pii.email": email}), SECRET)


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


@pytest.mark.parametrize("first", ["tell", "deduce", "filtered"])
async def test_a_sender_that_proves_a_key_is_not_answered_what_its_runs_before_have_read_of_others(
    store: Store, first: str
) -> None:
    shop = shop_of(store)
    await send(shop, "bob", event("city", city="Oslo"))
    await send(shop, "bob", event("mail", **ANN))
    await send(shop, "stranger", event("mail", **ANN))
    own = token(shop, "stranger@example.com")
    body = payload(first, event("mail", email="stranger@example.com"), session="stranger", source={"id": "page"})
    answer = await shop.track(body | {"userToken": own, "options": {"profile": True}})
    assert "Oslo" not in str(answer)
    assert "response" not in answer or "city" not in answer["response"]
    later = await send(shop, "stranger", event("tell"))
    assert later["response"] == {"city": "nowhere"}


@pytest.mark.parametrize("type", ["tell", "filtered"])
async def test_a_repeat_does_not_show_a_sender_that_proves_a_key_the_runs_before(store: Store, type: str) -> None:
    shop = shop_of(store)
    await send(shop, "bob", event("city", city="Oslo"))
    await send(shop, "bob", event("mail", **ANN))
    await send(shop, "stranger", event("mail", **ANN))
    once = {"type": type, "id": "once"}
    await send(shop, "stranger", once)
    own = token(shop, "stranger@example.com")
    await send(shop, "stranger", event("mail", email="stranger@example.com"), userToken=own)
    again = await send(shop, "stranger", once)
    assert again["debugging"]["execution"]["once"]["disposition"] == "duplicate"
    assert "Oslo" not in str(again)


async def test_a_sender_is_answered_with_its_first_proof(store: Store) -> None:
    shop = shop_of(store)
    await send(shop, "ann", event("mail", **ANN))
    await send(shop, "stranger", event("mail", **ANN))
    body = payload(
        event("mail", **ANN), "tell", session="ann", source={"id": "page"}, userToken=token(shop, ANN["email"])
    )
    answer = await shop.track(body)
    assert answer["response"] == {"hello": "there", "city": "nowhere"}


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

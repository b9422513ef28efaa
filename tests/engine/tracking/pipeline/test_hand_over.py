"""Handing a session over: two customers at one computer (`session.hand_over` with an exclusive key)."""

from typing import Any

import pytest

from engine.ports.store import Store
from engine.profile.key import KeyRules
from engine.project.project import Settings
from tests.engine.tracking.collector import Collector
from tests.projects import CUSTOMER, PAGE, SHOP, payload, project

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who:
    profile.merge: {traits.customer: "{{ event.properties.customer }}"}
    next: {merged: name, unchanged: name, other: bob}
  bob:
    session.hand_over: {traits.customer: "{{ event.properties.customer }}"}
    next: name
  name:
    profile.set: {pii.first_name: "{{ event.properties.first_name }}"}
"""
COUNT = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
HAND = """
flow: hand
trigger: {event: hand}
nodes:
  over: {session.hand_over: {traits.customer: "{{ event.properties.customer }}"}}
"""
HAND_IN_LOOP = """
flow: hand-in-loop
trigger: {event: hand-in-loop}
nodes:
  customers:
    each:
      in: "{{ event.properties.customers }}"
      do:
        note: {profile.increment: {traits.noted: 1}, next: over}
        over: {session.hand_over: {traits.customer: "{{ item }}"}}
"""
READ_AND_HAND = """
flow: read-and-hand
trigger: {event: read-and-hand}
nodes:
  read:
    log: "{{ profile.pii.first_name }}"
    next: over
  over: {session.hand_over: {traits.customer: "{{ event.properties.customer }}"}}
"""
SETTINGS = Settings(keys=KeyRules(forms=((CUSTOMER, "exact"),), exclusive=frozenset({CUSTOMER})))


def collector(store: Store) -> Collector:
    return Collector(
        project(LOGIN, COUNT, HAND, HAND_IN_LOOP, READ_AND_HAND, settings=SETTINGS, sources=(SHOP, PAGE)), store
    )


def login(customer: str, name: str) -> dict[str, Any]:
    return {"type": "login", "properties": {"customer": customer, "first_name": name}}


async def alice_and_bob(shop: Collector, source: str = "shop") -> tuple[str, str]:
    """The ids of two customers, each with a phone."""
    found = []
    for session, customer, name in (("alice", "C-1001", "Alice"), ("bob", "C-2002", "Bob")):
        answer = await shop.track(payload(login(customer, name), session=session) | {"source": {"id": source}})
        found.append(answer["profile"]["id"])
        shop.clock.advance(1)
    return found[0], found[1]


async def test_a_second_customer_at_one_computer_gets_the_session_and_both_stay_two(store: Store) -> None:
    shop = collector(store)
    alice, bob = await alice_and_bob(shop)
    answer = await shop.track(payload(login("C-2002", "Bob"), session="kiosk") | {"profile": {"id": alice}})
    assert answer["profile"]["id"] == bob
    (one,) = answer["debugging"]["execution"].values()
    first, second = [run for run in one["runs"] if "steps" in run]
    assert first["outcome"] == "handed-over"
    (refused,) = [step for step in first["steps"] if step["node"] == "who"]
    assert (refused["port"], "C-1001" in refused["reason"], "C-2002" in refused["reason"]) == ("other", True, True)
    assert second["outcome"] == "finished"
    (login_links,) = [run for run in one["runs"] if "operations" in run]
    assert login_links["reason"].startswith("the device's events without a user are not this user's: `traits.customer`")
    assert (await shop.profile(alice))["pii"] == {"first_name": "Alice"}
    assert (await shop.profile(bob))["traits"] == {"customer": "C-2002"}


async def test_events_before_a_hand_over_stay_and_those_behind_it_follow(store: Store) -> None:
    shop = collector(store)
    alice, bob = await alice_and_bob(shop)
    body = payload("counted", login("C-2002", "Bob"), "counted", "counted", session="kiosk")
    await shop.track(body | {"profile": {"id": alice}})
    assert (await shop.profile(alice))["traits"]["count"] == 1
    assert (await shop.profile(bob))["traits"]["count"] == 2


async def test_a_turn_of_a_loop_hands_over_the_whole_run(store: Store) -> None:
    shop = collector(store)
    alice, bob = await alice_and_bob(shop)
    event = {"type": "hand-in-loop", "properties": {"customers": ["C-1001", "C-2002"]}}
    answer = await shop.track(payload(event, session="kiosk") | {"profile": {"id": alice}})
    assert answer["profile"]["id"] == bob
    assert "noted" not in (await shop.profile(alice))["traits"]


async def test_the_session_stays_with_the_other_person(store: Store) -> None:
    shop = collector(store)
    alice, bob = await alice_and_bob(shop)
    await shop.track(payload("counted", session="kiosk") | {"profile": {"id": alice}})
    await shop.track(payload(login("C-2002", "Bob"), session="kiosk"))
    answer = await shop.track(payload("counted", session="kiosk"))
    assert answer["profile"]["id"] == bob
    assert (await shop.profile(alice))["traits"]["count"] == 1
    assert (await shop.profile(bob))["traits"]["count"] == 1


async def test_a_session_is_not_handed_over_on_an_outdated_profile(store: Store) -> None:
    shop, other = collector(store), collector(store)
    first = await shop.track(payload("counted", session="kiosk"))
    await other.track(payload(login("C-1001", "Alice"), session="kiosk"))
    answer = await shop.track(payload({"type": "hand", "properties": {"customer": "C-1001"}}, session="kiosk"))
    assert answer["profile"]["id"] == first["profile"]["id"]
    assert len((await shop.profile(first["profile"]["id"]))["ids"]) == 1


async def test_a_session_goes_back_and_forth_without_a_new_part_each_time(store: Store) -> None:
    shop = collector(store)
    alice, bob = await alice_and_bob(shop)
    for customer, name, id in [("C-2002", "Bob", bob), ("C-1001", "Alice", alice)] * 3:
        answer = await shop.track(payload(login(customer, name), session="kiosk"))
        assert answer["profile"]["id"] == id
    parts = [len((await shop.profile(id))["ids"]) for id in (alice, bob)]
    assert parts == [2, 3]  # of Bob: the phone, the kiosk, and the kiosk after Alice


async def test_claims_hand_over_as_proofs_do(store: Store) -> None:
    shop = collector(store)
    alice, bob = await alice_and_bob(shop, "page")
    assert alice != bob
    await shop.track(payload("counted", session="alice") | {"source": {"id": "page"}})
    await shop.track(payload(login("C-2002", "Bob"), "counted", session="alice") | {"source": {"id": "page"}})
    assert (await shop.profile(alice))["traits"] == {"customer": "C-1001", "count": 1}
    assert (await shop.profile(bob))["traits"] == {"customer": "C-2002", "count": 1}


async def test_a_run_that_was_given_up_shows_nothing_of_a_joint_profile(store: Store) -> None:
    shop = collector(store)
    alice, bob = await alice_and_bob(shop, "page")
    page = {"source": {"id": "page"}}
    for customer, name in [("C-2002", "Bob"), ("C-1001", "Alice"), ("C-2002", "Bob")]:
        await shop.track(payload(login(customer, name), session="alice") | page)
    event = {"type": "read-and-hand", "id": "back", "properties": {"customer": "C-1001"}}
    for _first_and_repeated in range(2):
        answer = await shop.track(payload(event, session="alice") | page)
        assert "withheld" in answer["debugging"]
        assert '"Bob"' not in str(answer["debugging"]).replace("'", '"')
        assert bob not in str(answer)
        assert answer["profile"]["id"] == alice


async def test_the_record_of_a_run_that_was_given_up_names_the_profile_that_it_ran_on(store: Store) -> None:
    shop = collector(store)
    alice, bob = await alice_and_bob(shop)
    await shop.track(payload(login("C-2002", "Bob"), session="kiosk"))
    await shop.track(payload(login("C-1001", "Alice") | {"id": "back"}, session="kiosk"))
    (given_up,) = [run for run in await store.runs_of("back") if run.outcome == "handed-over"]
    assert given_up.profile == alice
    assert bob in given_up.other_profiles  # so it is erased with either of them, and no archive of one shows the other


@pytest.mark.parametrize("type", ["session-opened", "profile-created", "segment-entered"])
async def test_an_event_of_the_system_hands_the_session_over_once(store: Store, type: str) -> None:
    flow = f"""
flow: system
trigger: {{event: {type}}}
nodes:
  over: {{session.hand_over: {{traits.customer: C-1001}}, next: {{same: note, failed: note}}}}
  note: {{profile.increment: {{traits.noted: 1}}}}
"""
    segments = {"counting": "profile.traits.count >= 1"}
    shop = Collector(project(flow, COUNT, segments=segments, settings=SETTINGS, sources=(PAGE,)), store)
    answer = await shop.track(payload("counted", "counted", source={"id": "page"}))
    found = await shop.profile(answer["profile"]["id"])
    assert found["traits"] == {"customer": "C-1001", "count": 2, "noted": 1}

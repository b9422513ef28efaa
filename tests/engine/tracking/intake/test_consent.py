"""Consents in a unit: flows that want them, senders who give them, and profiles that were merged by a claim."""

from hashlib import sha256
from typing import Any

import pytest

from engine.ports.store import Store
from engine.profile.consent import MAX_CONSENTS
from engine.project.source import Source
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project

TILL = Source(source="till", kind="secret", key=sha256(b"k").hexdigest(), debugger=True, profiles=True)
LINK = Source(source="shop", identify="link", debugger=True, profiles=True)

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""
MAILING = """
flow: mailing
trigger: {event: mail-wanted}
consents: [newsletter, profiling]
nodes:
  send: {respond: {mail: sent}}
"""
SIMPLE = """
flow: simple
trigger: {event: ticked}
nodes:
  ticked: {profile.set: {consents.newsletter: true, consents.profiling: true}}
"""
DECIDING = """
flow: deciding
trigger: {event: decided}
nodes:
  gone: {consent.set: {newsletter: false}}
"""
FLOWS = (LOGIN, MAILING, SIMPLE, DECIDING)
BOTH = {"newsletter": True, "profiling": True}


def collector(store: Store, public: Source = LINK) -> Collector:
    return Collector(project(*FLOWS, sources=(public, TILL)), store, keys={"till": "k"})


def consent(**consents: Any) -> dict[str, Any]:
    return {"type": "consent-changed", "properties": {"consents": consents}}


def login(email: str = "ann@example.com") -> dict[str, Any]:
    return {"type": "login", "properties": {"email": email}}


def at_till(*events: dict[str, Any] | str, session: str = "till") -> dict[str, Any]:
    return {**payload(*events, session=session), "source": {"id": "till"}}


def runs(answer: dict[str, Any], flow: str) -> list[dict[str, Any]]:
    events = answer["debugging"]["execution"].values()
    found = [run for event in events for run in event["runs"] if run.get("flow") == flow]
    return [run for run in found if run["outcome"] != "not-triggered"]


def sent(answer: dict[str, Any]) -> bool:
    return [run["outcome"] for run in runs(answer, "mailing")] == ["finished"]


async def test_a_flow_without_its_consents_is_filtered_and_says_which_and_why(store: Store) -> None:
    shop = collector(store)
    (run,) = runs(await shop.track(payload(consent(newsletter=True, profiling=False), "mail-wanted")), "mailing")
    setting = run["reason"]["values"]["profile.consents.profiling"]
    assert run == {
        "flow": "mailing",
        "version": run["version"],
        "outcome": "filtered",
        "reason": {
            "expression": "consents: profiling",
            "values": {"profile.consents.profiling": {"revoked": setting["revoked"]}},
            "why": "consent `profiling` is revoked",
        },
    }


async def test_a_consent_without_a_decision_is_reported_as_absent(store: Store) -> None:
    (run,) = runs(await collector(store).track(payload("mail-wanted")), "mailing")
    assert run["reason"]["values"] == {"profile.consents.newsletter": "absent"}


async def test_an_event_without_a_profile_has_no_consents(store: Store) -> None:
    shop = collector(store)
    answer = await shop.track(payload(consent(**BOTH), "mail-wanted"), profile_less=True)
    (run,) = runs(answer, "mailing")
    assert run["reason"]["why"] == "consent `newsletter` is not given: no profile"
    first, *_ = answer["debugging"]["execution"].values()
    assert first["runs"][0] == {
        "outcome": "filtered",
        "reason": {"expression": "event.type == 'consent-changed'", "values": {"profile": "no profile"}},
    }


async def test_the_simple_boolean_is_a_consent(store: Store) -> None:
    assert sent(await collector(store).track(payload("ticked", "mail-wanted")))


async def test_a_flow_later_in_the_payload_sees_what_was_taken_back(store: Store) -> None:
    shop = collector(store)
    assert sent(await shop.track(payload(consent(**BOTH), "mail-wanted")))
    assert not sent(await shop.track(payload("decided", "mail-wanted")))
    assert not sent(await shop.track(payload("mail-wanted")))


async def test_consents_end_with_the_clock(store: Store) -> None:
    shop = collector(store)
    for_a_day = {"given": True, "expires_in": "1d"}
    await shop.track(payload(consent(newsletter=for_a_day, profiling=True)))
    shop.clock.advance(86_400_000 - 1)
    assert sent(await shop.track(payload("mail-wanted")))
    shop.clock.advance(1)
    (run,) = runs(await shop.track(payload("mail-wanted")), "mailing")
    assert run["reason"]["why"] == "consent `newsletter` has expired"


async def test_an_event_that_a_flow_emits_gives_no_consent(store: Store) -> None:
    emitting = """
    flow: emitting
    trigger: {event: go}
    nodes:
      say: {event.emit: {type: consent-changed, properties: {consents: {newsletter: true, profiling: true}}}}
    """
    shop = Collector(project(emitting, MAILING), store)
    assert not sent(await shop.track(payload("go", "mail-wanted")))


async def test_a_profile_takes_no_more_consents_than_it_can_hold(store: Store) -> None:
    shop = collector(store)
    names = [f"c{i}" for i in range(MAX_CONSENTS + 1)]
    for some in (names[:50], names[50:100]):
        await shop.track(payload(consent(**dict.fromkeys(some, True))))
    answer = await shop.track(payload(consent(c100=True)))
    (event,) = answer["debugging"]["execution"].values()
    assert event["runs"][0] == {"outcome": "failed", "reason": "a profile has at most 100 consents"}
    assert len((await shop.profile(answer["profile"]["id"]))["consents"]) == MAX_CONSENTS


# ---- claims ---------------------------------------------------------------------------------------------------------


async def test_who_merely_claims_to_be_ann_neither_gives_nor_takes_back_a_consent_of_hers(store: Store) -> None:
    shop = collector(store)
    await shop.track(at_till(login()))
    await shop.track(payload(login(), consent(**BOTH), session="thief"))
    assert not sent(await shop.track(at_till("mail-wanted")))
    await shop.track(at_till(consent(**BOTH)))
    await shop.track(payload(consent(newsletter=False), session="thief"))
    assert sent(await shop.track(at_till("mail-wanted")))


async def test_of_two_who_claim_to_be_ann_each_gives_consent_for_itself_alone(store: Store) -> None:
    shop = collector(store)
    await shop.track(payload(login(), session="ann"))
    await shop.track(payload(login(), consent(**BOTH), session="thief"))
    assert not sent(await shop.track(payload("mail-wanted", session="ann")))
    await shop.track(payload(consent(**BOTH), session="ann"))
    assert sent(await shop.track(payload("mail-wanted", session="ann")))


async def test_who_merely_claims_to_be_ann_may_take_back_the_consent_of_another_who_does(store: Store) -> None:
    shop = collector(store)
    await shop.track(payload(login(), consent(**BOTH), session="ann"))
    assert sent(await shop.track(payload("mail-wanted", session="ann")))
    await shop.track(payload(login(), consent(newsletter=False), session="thief"))
    assert not sent(await shop.track(payload("mail-wanted", session="ann")))
    await shop.track(payload(consent(newsletter=True), session="ann"))
    assert sent(await shop.track(payload("mail-wanted", session="ann")))


@pytest.mark.parametrize("first", ["phone", "laptop"])
async def test_a_consent_taken_back_before_merging_stays_so_whichever_profile_came_first(
    store: Store, first: str
) -> None:
    shop = collector(store)
    for session in sorted(("phone", "laptop"), key=lambda each: each != first):
        await shop.track(at_till("hello", session=session))
        shop.clock.advance(10)
    await shop.track(at_till(consent(**BOTH), session="phone"))
    shop.clock.advance(10)
    await shop.track(at_till(consent(newsletter=False), session="laptop"))
    for session in ("phone", "laptop"):
        shop.clock.advance(10)
        await shop.track(at_till(login(), session=session))
    for session in ("phone", "laptop"):
        assert not sent(await shop.track(at_till("mail-wanted", session=session)))


async def test_a_flow_that_merges_first_does_not_pass_a_gate_behind_which_the_merged_past_says_no(
    store: Store,
) -> None:
    gated = """
    flow: gated
    trigger: {event: gated}
    nodes:
      who: {profile.merge: {pii.email: "{{ event.properties.email }}"}, next: send}
      send: {respond: {mail: sent}, consents: [newsletter]}
    """
    shop = Collector(project(LOGIN, gated, sources=(TILL,)), store, keys={"till": "k"})
    await shop.track(at_till(consent(newsletter=True), session="phone"))
    shop.clock.advance(10)
    await shop.track(at_till(login(), consent(newsletter=False), session="laptop"))
    event = {"type": "gated", "properties": {"email": "ann@example.com"}}
    answer = await shop.track(at_till(event, session="phone"))
    send = next(step for step in runs(answer, "gated")[0]["steps"] if step["node"] == "send")
    assert (send["port"], send["reason"]) == ("skipped", "consent `newsletter` is revoked")
    assert "response" not in answer

"""The rights of a page with a user token: it acts for the profile that the token proves, and reads no other."""

from typing import Any

import pytest

from engine.ports.store import Store
from engine.profile.document import LinkKind
from engine.project.source import Source
from engine.tracking.intake.payload import Refusal
from engine.tracking.intake.user_token import Claims, sign
from tests.engine.tracking.claiming_visitors import ATTACH, EVERYTHING, LOOKUP, from_till, shop_of
from tests.engine.tracking.collector import Collector, holder
from tests.projects import payload

SECRET = "s3cret-of-the-shop-and-its-back-end"
LINK = Source(source="shop", identify="link", debugger=True, profiles=True, user_secret=SECRET)
REFUSE = Source(source="shop", identify="refuse", debugger=True, profiles=True, user_secret=SECRET)
KINDS: tuple[LinkKind, ...] = ("claim", "proof")
ANN, BOB = "ann@example.com", "bob@example.com"

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who:
    profile.merge: {pii.email: "{{ event.properties.email }}"}
    next: {merged: tell, unchanged: tell, failed: note}
  tell:
    respond: {secret: "{{ profile.traits.secret | default('none') }}"}
    next: note
  note:
    when: event.properties.secret is defined
    profile.set: {traits.secret: "{{ event.properties.secret }}"}
"""
BOTH = """
flow: both
trigger: {event: both}
nodes:
  who:
    profile.merge: {pii.email: "{{ event.properties.email }}", pii.phone: "{{ event.properties.phone }}"}
    next: tell
  tell: {respond: {secret: "{{ profile.traits.secret | default('none') }}"}}
"""
FAILING = """
flow: failing
trigger: {event: peep}
nodes:
  who:
    profile.merge: {pii.email: "{{ event.properties.email }}"}
    next: boom
  boom: {fail: "{{ profile.traits.secret | default('none') }}"}
"""
SHOW = """
flow: show
trigger: {event: show}
nodes:
  tell: {respond: {secret: "{{ profile.traits.secret | default('none') }}"}}
"""
LATE = """
flow: late
trigger: {event: late}
nodes:
  read: {let: {secret: "{{ profile.traits.secret | default('none') }}"}, next: who}
  who:
    profile.merge: {pii.email: "{{ event.properties.email }}"}
    next: tell
  tell: {respond: {secret: "{{ nodes.read.out.secret }}"}}
"""
FLOWS = (LOGIN, BOTH, FAILING, LOOKUP, ATTACH, SHOW, LATE)


def collector(store: Store, public: Source = LINK) -> Collector:
    return shop_of(store, public, *FLOWS)


def event(type: str, email: str, **properties: Any) -> dict[str, Any]:
    return {"type": type, "properties": {"email": email, **properties}}


def token(shop: Collector, **more: Any) -> str:
    claims = {"aud": "shop", "exp": shop.clock.now() / 1000 + 600, "keys": {"pii.email": ANN}, **more}
    return sign(Claims(**claims), SECRET)


def page(shop: Collector, *events: dict[str, Any] | str, session: str = "page", **claims: Any) -> dict[str, Any]:
    """A payload of a page that has a token for Ann."""
    return payload(*events, session=session, options=EVERYTHING, userToken=token(shop, **claims))


async def at_till(shop: Collector, email: str, secret: str) -> str:
    """Track an event of the till, a trusted source; returns the id of the profile."""
    body = from_till(event("login", email, secret=secret), session=f"till-{email}")
    return str((await shop.track(body))["profile"]["id"])


@pytest.mark.parametrize("public", [LINK, REFUSE], ids=["link", "refuse"])
@pytest.mark.parametrize("spelled", [ANN, " Ann@Example.COM "], ids=["as it is kept", "spelled otherwise"])
async def test_who_has_anns_token_is_ann(store: Store, public: Source, spelled: str) -> None:
    shop = collector(store, public)
    ann = await at_till(shop, ANN, "of-ann")
    answer = await shop.track(page(shop, event("login", spelled)))
    assert answer["response"] == {"secret": "of-ann"}
    assert answer["profile"]["id"] == ann
    assert answer["profile"]["traits"] == {"secret": "of-ann"}
    step = next(s for run in answer["debugging"]["execution"].values() for s in run["runs"][0]["steps"])
    assert step["port"] == "merged"


async def test_who_was_ann_stays_ann_without_the_token(store: Store) -> None:
    shop = collector(store)
    await at_till(shop, ANN, "of-ann")
    await shop.track(page(shop, event("login", ANN)))
    answer = await shop.track(payload("x", session="page", options=EVERYTHING))
    assert answer["profile"]["traits"] == {"secret": "of-ann"}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(["show", event("login", ANN)], id="an event before the proof"),
        pytest.param([event("late", ANN)], id="a node before the proof"),
    ],
)
async def test_a_proof_opens_nothing_that_a_claim_has_shown_before_it(store: Store, events: list[Any]) -> None:
    shop = collector(store)
    await shop.track(payload(event("login", BOB, secret="of-victim"), session="victim"))
    await shop.track(payload(event("login", BOB), session="page"))  # joined by a claim
    answer = await shop.track(page(shop, *events))
    assert "of-victim" not in str(answer)
    later = await shop.track(page(shop, "show"))
    assert later["response"] == {"secret": "none"}


async def test_a_repeat_after_the_proof_shows_nothing_that_the_first_time_withheld(store: Store) -> None:
    shop = collector(store)
    await shop.track(payload(event("login", BOB, secret="of-victim"), session="victim"))
    await shop.track(payload(event("login", BOB), session="page"))
    look = {"type": "show", "id": "e-1"}
    await shop.track(page(shop, look))
    await shop.track(page(shop, event("login", ANN)))
    assert "of-victim" not in str(await shop.track(page(shop, look)))


async def test_the_first_proof_is_answered_though_claims_held_before(store: Store) -> None:
    shop = collector(store)
    await shop.track(payload(event("login", BOB, secret="of-victim"), session="victim"))
    await shop.track(payload(event("login", BOB), session="page"))
    assert (await shop.track(page(shop, event("login", ANN))))["response"] == {"secret": "none"}


@pytest.mark.parametrize("public", [LINK, REFUSE], ids=["link", "refuse"])
async def test_two_devices_of_ann_meet_by_her_tokens_alone(store: Store, public: Source) -> None:
    shop = collector(store, public)
    first = await shop.track(page(shop, event("login", ANN, secret="of-ann"), session="phone"))
    answer = await shop.track(page(shop, event("login", ANN), session="laptop"))
    assert answer["profile"]["id"] == first["profile"]["id"]
    assert answer["response"] == {"secret": "of-ann"}
    assert await holder(store, "proof", "pii.email", ANN) == first["profile"]["id"]


@pytest.mark.parametrize("public", [LINK, REFUSE], ids=["link", "refuse"])
@pytest.mark.parametrize("type", ["login", "peep", "look", "attach", "both"])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside an event of her own"])
async def test_who_has_anns_token_learns_nothing_of_bob_in_any_way(
    store: Store, public: Source, type: str, alone: bool
) -> None:
    shop = collector(store, public)
    await at_till(shop, ANN, "of-ann")
    bob = await at_till(shop, BOB, "of-bob")
    own = [] if alone else [event("login", ANN)]
    about = event(type, BOB, phone="+49 30 901820")
    answers = [
        await shop.track(page(shop, *own, about)),
        await shop.track(page(shop, about, *own, session="page-2")),
        await shop.track(page(shop, about), profile_less=True),
        await shop.track(page(shop, "x")),
        await shop.track(payload("x", session="page", options=EVERYTHING)),
    ]
    assert "of-bob" not in str(answers)
    assert bob not in str(answers)


async def test_of_several_keys_only_those_of_the_token_are_proven(store: Store) -> None:
    shop = collector(store)
    await at_till(shop, ANN, "of-ann")
    bob = payload({"type": "both", "properties": {"email": BOB, "phone": "1234567"}}, session="till-bob")
    await shop.track({**bob, "source": {"id": "till"}})
    await at_till(shop, BOB, "of-bob")
    answer = await shop.track(page(shop, event("both", ANN, phone="1234567")))
    assert "of-bob" not in str(answer)
    assert answer["response"] == {"secret": "of-ann"}  # the phone, only claimed, joins nobody
    keys = {"pii.email": ANN, "pii.phone": "1234567"}
    answer = await shop.track(page(shop, event("both", ANN, phone="1234567"), session="other", keys=keys))
    assert answer["response"] == {"secret": "of-bob"}  # a proof joins Ann and Bob: the newer value shows


async def test_a_lookup_is_no_identification(store: Store) -> None:
    shop = collector(store)
    await at_till(shop, ANN, "of-ann")
    assert "of-ann" not in str(await shop.track(page(shop, event("look", ANN))))


async def test_a_run_that_failed_tells_ann_of_herself(store: Store) -> None:
    shop = collector(store)
    await at_till(shop, ANN, "of-ann")
    answer = await shop.track(page(shop, event("peep", ANN)))
    (entry,) = answer["debugging"]["execution"].values()
    assert [run["reason"] for run in entry["runs"] if run["outcome"] == "failed"] == ["of-ann"]


async def test_who_claimed_anns_key_before_neither_sees_her_nor_is_seen_by_her(store: Store) -> None:
    shop = collector(store)
    thief = await shop.track(payload(event("login", ANN, secret="of-thief"), session="thief"))
    peep = await shop.track(page(shop, event("peep", ANN), session="phone"))
    first = await shop.track(page(shop, event("login", ANN), session="phone"))
    await shop.track(payload({"type": "login", "properties": {"email": ANN, "secret": "of-ann"}}, session="phone"))
    assert "of-thief" not in str(peep)
    assert "of-thief" not in str(first)
    assert "of-ann" not in str(await shop.track(payload("x", session="thief", options=EVERYTHING)))
    ids = {kind: await holder(store, kind, "pii.email", ANN) for kind in KINDS}
    assert ids == {"claim": thief["profile"]["id"], "proof": first["profile"]["id"]}


async def test_under_refuse_a_key_without_a_token_joins_no_profiles(store: Store) -> None:
    shop = collector(store, REFUSE)
    ann = await at_till(shop, ANN, "of-ann")
    await shop.track(payload(event("login", ANN), session="page"))
    assert set((await shop.profile(ann))["ids"]) == {ann}
    await shop.track(page(shop, event("login", BOB)))
    for kind in KINDS:
        assert await holder(store, kind, "pii.email", BOB) is None


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": 1_600_000_000}, id="expired"),
        pytest.param({"aud": "till"}, id="for another source"),
        pytest.param({"session": "mine"}, id="for another session"),
    ],
)
async def test_a_payload_with_a_token_that_is_not_good_is_not_taken(store: Store, claims: dict[str, Any]) -> None:
    shop = collector(store)
    with pytest.raises(Refusal):
        await shop.track({**page(shop, event("login", ANN)), "userToken": token(shop, **claims)})
    assert (await store.counts())["events"] == 0


async def test_a_token_does_not_stay_in_what_is_stored(store: Store) -> None:
    shop = collector(store)
    body = page(shop, event("login", ANN), {"type": 5})
    answer = await shop.track(body)
    (rejected,) = await store.rejected(10)
    assert body["userToken"] not in str(answer) + str(rejected)

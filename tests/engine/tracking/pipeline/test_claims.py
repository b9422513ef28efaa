"""The rights of a sender without authority (`identify: link` and `refuse`), and their limits."""

import asyncio
from typing import Any

import pytest

from engine.flow.ask import HttpReply
from engine.ports.records import Unit
from engine.ports.store import Store, Unavailable
from engine.profile.document import LinkKind
from engine.project.source import Source, Target
from engine.tracking.intake.payload import Refusal
from tests.engine.tracking.claiming_visitors import ATTACH, EVERYTHING, LOOKUP, from_till, shop_of
from tests.engine.tracking.collector import Collector, holder
from tests.engine.tracking.conftest import Opener
from tests.engine.tracking.watched_performer import WatchedPerformer
from tests.projects import payload, project

LINK = Source(source="shop", identify="link", debugger=True, profiles=True)
REFUSE = Source(source="shop", identify="refuse", debugger=True, profiles=True)

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who:
    profile.merge: {pii.email: "{{ event.properties.email }}"}
    next: {merged: note, unchanged: note, failed: note}
  note: {profile.set: {traits.secret: "{{ event.properties.secret | default('none') }}"}}
"""
FAILING = """
flow: failing
trigger: {event: peep}
nodes:
  who:
    profile.merge: {pii.email: "{{ event.properties.email }}"}
    next: tell
  tell:
    respond: {secret: "{{ profile.traits.secret | default('none') }}"}
    next: boom
  boom: {fail: "{{ profile.traits.secret | default('none') }}"}
"""
KINDS: tuple[LinkKind, ...] = ("claim", "proof")
FLOWS = (LOGIN, FAILING, LOOKUP, ATTACH)


def collector(store: Store, public: Source) -> Collector:
    return shop_of(store, public, *FLOWS)


def event(type: str, **properties: Any) -> dict[str, Any]:
    return {"type": type, "properties": {"email": "ann@example.com", **properties}}


@pytest.mark.parametrize("public", [LINK, REFUSE], ids=["link", "refuse"])
@pytest.mark.parametrize("type", ["login", "peep", "look", "attach"])
@pytest.mark.parametrize("first", [True, False], ids=["who claims before", "who comes after"])
async def test_no_part_of_an_answer_shows_anything_of_a_stranger(
    store: Store, public: Source, type: str, first: bool
) -> None:
    shop = collector(store, public)
    answers = []
    if first:
        answers.append(await shop.track(payload(event("login"), session="thief", options=EVERYTHING)))
    ann = await shop.track(from_till(event("login", secret="s3cret")))
    await shop.track(from_till(event("login", secret="s3cret"), session="till-2"))
    body = payload(event(type), session="thief", options=EVERYTHING)
    answers += [await shop.track(body), await shop.track(body, profile_less=True)]
    answers.append(await shop.track(payload("x", session="thief", options=EVERYTHING)))
    answers.append(await shop.track(payload(event(type), session="other", options=EVERYTHING), profile_less=True))
    answers.append(await shop.track(payload("x", session="other", options=EVERYTHING)))
    text = str(answers)
    assert "s3cret" not in text
    hidden = {ann["profile"]["id"]} - {answer["profile"]["id"] for answer in answers[:1] if first}
    assert not any(id in text for id in hidden)


async def test_the_debugger_says_that_it_withholds_values(store: Store) -> None:
    shop = collector(store, LINK)
    own = await shop.track(payload(event("login"), session="thief"))
    assert "withheld" not in own["debugging"]
    joined = await shop.track(payload(event("login"), session="other"))
    assert "claims join the sender with others" in joined["debugging"]["withheld"]
    (entry,) = joined["debugging"]["execution"].values()
    assert [(run["flow"], run["outcome"]) for run in entry["runs"]] == [("login", "finished")]


async def test_a_link_names_no_id_that_its_merge_has_set_apart(store: Store) -> None:
    shop = collector(store, LINK)
    till = (await shop.track(from_till(event("login", secret="till's"))))["profile"]["id"]
    ann = (await shop.track(payload(event("login", secret="hers"), session="ann")))["profile"]["id"]
    await shop.track(payload(event("login", secret="stranger's"), session="stranger"))
    await shop.track(from_till(event("login", secret="hers"), session="desk") | {"profile": {"id": ann}})
    profile = await store.profile(till)
    assert profile is not None
    assert set(profile.ids) == {till, ann}
    (why,) = [link.why for link in profile.links.values() if link.left == ann and link.kind == "proof"]
    assert why is not None
    assert why.left is not None
    assert why.left.ids == (ann,)
    assert "stranger's" not in str(profile)


async def test_a_repeat_of_a_profile_less_event_is_not_answered_with_its_profile(store: Store) -> None:
    shop = collector(store, LINK)
    ann = (await shop.track(from_till(event("login", secret="s3cret"))))["profile"]["id"]
    once = {**event("attach"), "id": "e-1"}
    await shop.track(payload(once, session="thief"), profile_less=True)
    assert ann not in str(await shop.track(payload(once, session="thief")))


async def test_a_profile_that_proves_a_key_is_found_by_it_even_if_another_claimed_it_before(store: Store) -> None:
    shop = collector(store, LINK)
    thief = (await shop.track(payload(event("login"), session="thief")))["profile"]["id"]
    await shop.track(from_till(event("login")))
    assert await holder(store, "claim", "pii.email", "ann@example.com") == thief
    assert await holder(store, "proof", "pii.email", "ann@example.com") not in (None, thief)


async def test_a_source_that_may_not_identify_claims_no_key(store: Store) -> None:
    await collector(store, REFUSE).track(payload(event("login"), session="thief"))
    for kind in KINDS:
        assert await holder(store, kind, "pii.email", "ann@example.com") is None


async def test_a_proven_sender_does_not_find_what_strangers_only_claim(store: Store) -> None:
    shop = collector(store, LINK)
    for session in ("thief", "ann"):
        await shop.track(payload(event("login", secret="of-thief"), session=session))
    ann = (await shop.track(payload("x", session="ann")))["profile"]["id"]
    other = {"email": "ann@work.example"}
    await shop.track({**from_till({"type": "login", "properties": other}), "profile": {"id": ann}})
    answer = await shop.track(payload(event("look"), session="ann"))
    (entry,) = answer["debugging"]["execution"].values()
    (run,) = [run for run in entry["runs"] if run.get("flow") == "lookup"]
    assert [step["port"] for step in run["steps"]] == ["missing"]
    assert "response" not in answer


async def test_a_trusted_sender_sees_everything(store: Store) -> None:
    shop = collector(store, LINK)
    await shop.track(from_till(event("login", secret="s3cret")))
    assert (await shop.track(from_till(event("look"), session="till-2")))["response"] == {"secret": "s3cret"}


# ---- turns, batches, repeats ----------------------------------------------------------------------------------------


async def test_sessions_of_one_merged_profile_do_not_get_in_each_others_way(store: Store) -> None:
    count = """
    flow: count
    trigger: {event: counted}
    nodes:
      add: {profile.increment: {traits.count: 1}}
    """
    shop = Collector(project(LOGIN, count), store)
    for session in ("phone", "laptop"):
        await shop.track(payload(event("login"), session=session))
    sessions = ["phone", "laptop"] * 40
    answers = await asyncio.gather(*(shop.track(payload("counted", session=session)) for session in sessions))
    assert (await shop.profile(answers[0]["profile"]["id"]))["traits"]["count"] == 80


async def test_a_batch_of_profile_less_events_tells_which_were_not_taken(store: Store) -> None:
    class Failing:
        def __init__(self) -> None:
            self.left = 1

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def commit(self, unit: Unit) -> None:
            if self.left == 0:
                raise Unavailable("the disk is full")
            self.left -= 1
            await store.commit(unit)

    shop = Collector(project(LOGIN), Failing())
    answer = await shop.track(payload("x", "y", "z"), profile_less=True)
    assert [(error["index"], "the disk is full" in error["reason"]) for error in answer["errors"]] == [
        (1, True),
        (2, True),
    ]
    assert (await store.counts())["events"] == 1


async def test_an_event_id_that_another_session_has_used_is_reported(store: Store) -> None:
    shop = Collector(project(LOGIN), store)
    await shop.track(payload({"type": "junk", "id": "order-18"}, session="squatter"), debug=False)
    order = {"type": "order", "id": "order-18"}
    with pytest.raises(Refusal) as refused:
        await shop.track(payload(order, session="buyer"), debug=False)
    assert [error["at"] for error in refused.value.errors] == ["/events/0/id"]
    answer = await shop.track(payload(order, "order", session="buyer"), debug=False)
    assert [error["at"] for error in answer["errors"]] == ["/events/0/id"]
    repeat = await shop.track(payload({"type": "junk", "id": "order-18"}, session="squatter"), debug=False)
    assert "errors" not in repeat


async def test_a_reply_answers_only_the_question_that_was_asked(opened: Opener) -> None:
    prices = """
    flow: price
    trigger: {event: buy}
    nodes:
      ask:
        lookup.http: {target: crm, path: "/price/{{ profile.traits.tier | default('silver') }}"}
        next: {found: note}
      note: {profile.set: {traits.price: "{{ nodes.ask.out.price }}"}}
    """
    tier = """
    flow: tier
    trigger: {event: upgrade}
    nodes:
      set: {profile.set: {traits.tier: gold}}
    """
    gate = asyncio.Event()
    crm = WatchedPerformer()
    crm.on("crm", "/price/silver", HttpReply(200, {"price": 100}), after=gate)
    crm.on("crm", "/price/gold", HttpReply(200, {"price": 50}))
    targets = {"crm": Target(url="https://crm.example")}
    one = Collector(project(prices, tier, targets=targets), opened(), crm)
    other = Collector(project(prices, tier, targets=targets), opened(), crm)
    await one.track(payload("x"))
    buying = asyncio.ensure_future(one.track(payload("buy")))
    await crm.asked_times(1)
    await other.track(payload("upgrade"))
    gate.set()
    answer = await buying
    assert (await one.profile(answer["profile"]["id"]))["traits"] == {"tier": "gold", "price": 50}

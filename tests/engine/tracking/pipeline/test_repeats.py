"""Repeats: a sender that sends its events again is answered as the first time; an id of another sender is refused."""

from typing import Any

import pytest

from engine.ports.store import Store
from engine.project.source import Source
from engine.tracking.intake.payload import Refusal
from storage.memory import MemoryStore
from storage.spool.memory import MemorySpool
from tests.engine.tracking.claiming_visitors import LOOKUP, TILL, from_till
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.shop_project import ledger
from tests.engine.tracking.unavailable_store import AwayStore, Shop
from tests.projects import SHOP, payload, project

LINK = Source(source="shop", identify="link", debugger=True, profiles=True)
LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}, next: {merged: note, unchanged: note, failed: note}}
  note: {profile.set: {traits.secret: s3cret}}
"""
ADD = """
flow: add
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
WHOLE: dict[str, Any] = {"options": {"profile": True}}
ONCE = {"type": "counted", "id": "e-1"}


def collector(store: Store, kind: str, source: Source = SHOP) -> Collector:
    """A collector with a spool or without."""
    shopping = project(ADD, LOGIN, LOOKUP, sources=(source, TILL))
    if kind == "spool":
        return Shop(shopping, AwayStore(store), MemorySpool(), keys={"till": "k"})
    return Collector(shopping, store, keys={"till": "k"})


@pytest.mark.parametrize("kind", ["store", "spool"])
@pytest.mark.parametrize("source", [SHOP, LINK], ids=["trust", "link"])
@pytest.mark.parametrize("debug", [True, False])
async def test_a_repeat_has_the_profile_of_the_first_answer_in_the_shape_asked_for(
    store: Store, kind: str, source: Source, debug: bool
) -> None:
    shop = collector(store, kind, source)
    first = await shop.track(payload(ONCE, **WHOLE), debug=debug)
    again = await shop.track(payload(ONCE, **WHOLE), debug=debug)
    assert again["profile"] == first["profile"]
    assert again["profile"]["traits"] == {"count": 1}
    plain = await shop.track(payload(ONCE), debug=debug)
    assert plain["profile"] == {"id": first["profile"]["id"]}
    assert "errors" not in again


@pytest.mark.parametrize("kind", ["store", "spool"])
async def test_a_repeat_has_the_stored_runs_of_the_first_time(store: Store, kind: str) -> None:
    shop = collector(store, kind)
    first = (await shop.track(payload(ONCE)))["debugging"]
    again = (await shop.track(payload(ONCE)))["debugging"]
    assert again["execution"]["e-1"]["disposition"] == "duplicate"
    stored = [run for run in first["execution"]["e-1"]["runs"] if run["outcome"] != "not-triggered"]
    assert again["execution"]["e-1"]["runs"] == stored
    for part in ("session", "profile", "events"):
        assert {**again[part], "saved": 1} == first[part]
        assert again[part]["saved"] == 0
    assert again["segmentation"] == first["segmentation"]


async def test_a_repeat_without_a_session_of_its_own_is_answered_as_the_first_if_its_source_is_trusted(
    store: Store,
) -> None:
    source = Source(source="shop", identify="trust", debugger=True, profiles=True, sessions="made")
    shop = collector(store, "store", source)
    first = await shop.track(payload(ONCE, session=None, **WHOLE))
    again = await shop.track(payload(ONCE, session=None, **WHOLE))
    assert again["profile"] == first["profile"]
    assert "errors" not in again


async def test_a_stranger_without_a_session_of_its_own_is_answered_nothing_of_the_first(store: Store) -> None:
    source = Source(source="shop", identify="link", debugger=True, profiles=True, sessions="made")
    shop = collector(store, "store", source)
    first = await shop.track(payload(ONCE, session=None, **WHOLE))
    again = await shop.track(payload(ONCE, session=None, **WHOLE))
    assert first["profile"]["id"] not in str(again)
    assert again["debugging"]["execution"]["e-1"]["runs"] == []


@pytest.mark.parametrize("source", [SHOP, LINK], ids=["trust", "link"])
async def test_a_repeat_in_another_session_of_the_same_profile_is_a_repeat(store: Store, source: Source) -> None:
    shop = collector(store, "store", source)
    first = await shop.track(payload(ONCE, **WHOLE))
    mine = {"id": first["profile"]["id"]}
    again = await shop.track(payload(ONCE, session="s-2", profile=mine, **WHOLE))
    assert again["profile"] == first["profile"]
    assert "errors" not in again


async def test_a_repeat_shows_nothing_of_a_stranger_that_the_first_did_not_show(store: Store) -> None:
    shop = collector(store, "store", LINK)
    email = {"email": "ann@example.com"}
    ann = await shop.track(from_till({"type": "login", "properties": email}))
    look = {"type": "look", "id": "e-2", "properties": email}
    login = {"type": "login", "id": "e-3", "properties": email}
    for event in (look, login):
        body = payload(event, session="thief", **WHOLE)
        answers = [await shop.track(body), await shop.track(body)]
        assert ann["profile"]["id"] not in str(answers)
        if event is look:
            assert "s3cret" not in str(answers)
            assert "withheld" in answers[1]["debugging"]
        else:  # a claim meets nobody who is proven: what the flow has set is the thief's own
            assert answers[0]["profile"]["traits"] == answers[1]["profile"]["traits"] == {"secret": "s3cret"}


# ---- ids of others --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["store", "spool"])
@pytest.mark.parametrize("source", [SHOP, LINK], ids=["trust", "link"])
@pytest.mark.parametrize("profile_less", [False, True], ids=["with a profile", "profile-less"])
async def test_a_payload_of_which_all_ids_took_effect_for_others_is_refused(
    store: Store, kind: str, source: Source, profile_less: bool
) -> None:
    shop = collector(store, kind, source)
    await shop.track(payload(ONCE, {"type": "counted", "id": "e-2"}))
    events = (ONCE, {"typo": 1}, {"type": "counted", "id": "e-2"})
    with pytest.raises(Refusal) as refused:
        await shop.track(payload(*events, session="s-2"), profile_less=profile_less)
    assert refused.value.kind == "nothing-accepted"
    assert sorted(error["at"] for error in refused.value.errors) == ["/events/0/id", "/events/1/type", "/events/2/id"]
    assert {one.at_field for one in await store.rejected(10)} == {"/events/0/id", "/events/1/type", "/events/2/id"}
    totals = shop.pipeline.ledger.totals()
    assert (totals.received, totals.stored, totals.rejected, totals.duplicate) == (5, 2, 3, 0)


async def test_an_id_of_another_among_own_ones_rejects_its_event_alone(store: Store) -> None:
    shop = collector(store, "store")
    await shop.track(payload(ONCE))
    answer = await shop.track(payload(ONCE, {"type": "counted", "id": "e-2"}, session="s-2"))
    assert [(error["index"], error["at"]) for error in answer["errors"]] == [(0, "/events/0/id")]
    became = {key: one["disposition"] for key, one in answer["debugging"]["execution"].items()}
    assert became == {"#0": "rejected", "e-2": "stored"}
    again = await shop.track(payload(ONCE, {"type": "counted", "id": "e-2"}, session="s-2"))
    assert again["errors"] == answer["errors"]
    assert again["profile"] == answer["profile"]


async def test_an_id_of_another_that_waited_in_the_spool_is_recorded_as_rejected() -> None:
    shop = Shop(project(ADD), AwayStore(MemoryStore()), MemorySpool())
    await shop.track(payload(ONCE))
    shop.away.away = True
    await shop.track(payload(ONCE, session="s-2"))
    await shop.track(payload(ONCE, {"type": "counted", "id": "e-2"}, session="s-3"))
    await shop.back()
    assert [(one.session, one.at_field) for one in await shop.store.rejected(10)] == [
        ("s-3", "/events/0/id"),
        ("s-2", "/events/0/id"),
    ]
    assert ledger(shop) == {"stored": 2, "rejected": 2}

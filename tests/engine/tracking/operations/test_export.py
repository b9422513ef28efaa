"""Exporting a profile: what is stored of it is handed over, all of it, each document once, and nothing else."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from engine.flow.message import HttpMessage
from engine.ports.kinds import ARRIVALS, DELIVERIES, WAITS
from engine.ports.outbox import StoredDelivery
from engine.ports.records import RecordWrite, RunRecord, StoredEvent, Unit
from engine.ports.resolve import NoSuchProfile
from engine.ports.store import Store
from engine.ports.waiting_run import Arrival, WaitingRun
from engine.profile.document import Profile
from engine.tracking.intake.payload import Refusal
from engine.tracking.operations import export as exporting
from engine.tracking.operations.export import export
from engine.tracking.operations.forgetting import Forgetter
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project

FLOWS = (
    """
    flow: login
    trigger: {event: login}
    nodes:
      who: {profile.merge: {pii.email: "{{ event.properties.email }}"}, next: note}
      note: {profile.set: {traits.city: "city of {{ event.properties.email }}"}}
    """,
    """
    flow: ask
    trigger: {event: ask}
    nodes:
      whose: {lookup.profile: {key: {pii.email: "{{ event.properties.email }}"}}}
    """,
    """
    flow: redeem
    trigger: {event: redeem}
    nodes:
      whose: {profile.attach: {key: {pii.email: "{{ event.properties.email }}"}}}
    """,
)
ODD = {"type": 7}


@pytest.fixture
def shop(store: Store) -> Collector:
    return Collector(project(*FLOWS), store)


async def logged_in(shop: Collector, session: str, email: str) -> str:
    event = {"type": "login", "id": f"{session} of {email}", "properties": {"email": email}}
    return str((await shop.track(payload(event, session=session)))["profile"]["id"])


async def rejected(shop: Collector, session: str, **more: Any) -> None:
    with pytest.raises(Refusal):
        await shop.track(payload(ODD, session=session, **more))


async def exported(shop: Collector, id: str) -> list[tuple[str, Any]]:
    return [one async for one in export(shop.store, id)]


def ran(source: str, at: int) -> RunRecord:
    """A run of another event that had the same id."""
    return RunRecord(f"of {source} at {at}", "nobody's", "login", "1", "finished", at, source)


@pytest.fixture
async def ann(shop: Collector) -> str:
    """A profile with two sessions under two ids, which a session of another profile names."""
    first, other = [await logged_in(shop, name, "ann@x.org") for name in ("phone", "desk")]
    await logged_in(shop, "bo's", "bo@x.org")
    await shop.track(payload({"type": "seen", "id": "nobody's"}, session="phone"), profile_less=True)
    unsaved = {"type": "seen", "id": "unsaved", "options": {"saveEvents": False}}
    await shop.track(payload(unsaved, session="phone"), profile_less=True)
    await rejected(shop, "phone")
    await rejected(shop, "desk", profile={"id": first})
    await rejected(shop, "bo's", profile={"id": other})
    await rejected(shop, "bo's")
    await shop.store.commit(Unit(runs=tuple(ran(*each) for each in (("shop", 1), ("till", shop.clock.now())))))
    return first


async def test_a_rejected_event_is_handed_over_that_came_in_a_session_or_named_the_profile(
    shop: Collector, ann: str
) -> None:
    found = [one for kind, one in await exported(shop, ann) if kind == "rejected"]
    assert sorted(str(one.session) for one in found) == ["None", "desk", "phone"]


async def test_an_export_has_the_records_that_forgetting_erases(
    shop: Collector, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 1)
    monkeypatch.setattr(exporting, "PAGE", 1)
    counted = Counter(kind for kind, _ in await exported(shop, ann))
    forgetter = Forgetter(shop.store, shop.clock, shop.pipeline, quiet_ms=0, pause=0)
    erased = (await forgetter.finish(await forgetter.begin(ann, "n"))).erased
    kinds: tuple[str, ...] = ("sessions", "events", "runs", "rejected")
    assert [counted[kind] for kind in kinds] == [erased[kind] for kind in kinds] == [2, 3, 8, 3]


async def test_the_profile_comes_first_then_one_kind_after_the_other(shop: Collector, ann: str) -> None:
    (kind, profile), *others = await exported(shop, ann)
    assert kind == "profiles"
    assert isinstance(profile, Profile)
    kinds = [kind for kind, _ in others]
    assert list(dict.fromkeys(kinds)) == ["sessions", "events", "runs", "rejected"]
    assert kinds == sorted(kinds, key=["sessions", "events", "runs", "rejected"].index)


async def test_an_export_has_nothing_of_another_profile(shop: Collector, ann: str) -> None:
    bo = await logged_in(shop, "bo's", "bo@x.org")
    for type, session, email in (("ask", "phone", "bo@x.org"), ("redeem", "bo's", "ann@x.org")):
        event = {"type": type, "id": type, "properties": {"email": email}}
        await shop.track(payload(event, session=session), profile_less=type == "redeem")
    records = [one for _, one in await exported(shop, ann)]
    archive = b"".join(msgspec.json.encode(one) for one in records)
    assert [word for word in (bo, "bo's", "city of bo@x.org") if word.encode() in archive] == []
    (asked,) = [one for one in records if isinstance(one, RunRecord) and one.event == "ask" and one.flow == "ask"]
    assert bytes(asked.trace) == b'"left out: it contains data of another profile"'
    (redeemed,) = [one for one in records if isinstance(one, StoredEvent) and one.id == "redeem"]
    assert redeemed.session is None


async def test_an_event_keeps_its_session_though_that_was_not_stored(shop: Collector) -> None:
    answer = await shop.track(payload("seen", session="phone", options={"saveSession": False}))
    events = [one for kind, one in await exported(shop, answer["profile"]["id"]) if kind == "events"]
    assert [one.session for one in events] == ["phone"]


async def test_an_unknown_profile_has_no_export(shop: Collector) -> None:
    with pytest.raises(NoSuchProfile):
        await exported(shop, "x")


async def test_deliveries_waits_and_the_events_they_waited_for_are_exported(shop: Collector) -> None:
    ann = await logged_in(shop, "phone", "ann@x.org")
    bo = await logged_in(shop, "bo's", "bo@x.org")
    fields: dict[str, Any] = {"at": 5, "source": "shop", "event": "e"}
    of_flow: dict[str, Any] = {**fields, "flow": "f"}
    message = HttpMessage(method="PUT", path="/people/bo")
    sending: dict[str, Any] = {**of_flow, "target": "crm", "queue": "crm/0", "node": "n", "message": message, "due": 5}
    records = (
        (DELIVERIES, StoredDelivery(id="d1", profile=ann, **sending)),
        (DELIVERIES, StoredDelivery(id="d2", profile=ann, other_profiles=(bo,), **sending)),
        (DELIVERIES, StoredDelivery(id="d3", profile=bo, **sending)),
        (WAITS, WaitingRun(id="w.1", profile=ann, flow_version="1", **of_flow)),
        (ARRIVALS, Arrival(id="w.1.a", profile=ann, **fields)),
    )
    await shop.store.commit(Unit(changes=tuple([RecordWrite(kind, one, 0) for kind, one in records])))
    found = {one.id: one for kind, one in await exported(shop, ann) if kind in ("deliveries", "waits", "arrivals")}
    assert sorted(found) == ["d1", "d2", "w.1", "w.1.a"]
    assert found["d1"].message == message
    assert (found["d2"].message, found["d2"].other_profiles) == (exporting.LEFT_OUT, ())
    assert b"/people/bo" not in msgspec.json.encode(found["d2"])

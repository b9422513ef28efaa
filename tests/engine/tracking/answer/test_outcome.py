"""The answer to a payload of several units: each profile-less event is one."""

from typing import Any

import pytest

from engine.ports.records import Unit
from engine.ports.store import Conflict, Store
from engine.ports.tombstone import session_tombstone, write_tombstones
from engine.project.source import Source
from tests.engine.tracking.claiming_visitors import LOOKUP, from_till, shop_of
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project

LINK = Source(source="shop", identify="link", debugger=True, profiles=True)
LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}, next: {merged: note, unchanged: note, failed: note}}
  note: {profile.set: {traits.secret: s3cret}}
"""
TELL = """
flow: tell
trigger: {event: [hit, hop]}
profile: none
nodes:
  tell: {respond: {said: "{{ event.type }}"}, next: line}
  line: {log: "{{ event.type }}"}
"""


def hit(id: str, type: str = "hit") -> dict[str, Any]:
    return {"type": type, "id": id}


@pytest.mark.parametrize("place", [0, 1])
async def test_an_id_that_took_effect_in_another_session_is_reported_for_each_event_that_has_it(
    store: Store, place: int
) -> None:
    shop = Collector(project(TELL), store)
    await shop.track(payload(hit("e-9"), session="other"), profile_less=True)
    events = [hit("e-1"), hit("e-2")]
    events[place] = hit("e-9")
    answer = await shop.track(payload(*events), profile_less=True, debug=False)
    assert [(one["index"], one["at"]) for one in answer["errors"]] == [(place, f"/events/{place}/id")]


async def test_the_debugger_tells_of_all_units_and_of_a_repeat_beside_its_original(store: Store) -> None:
    shop = Collector(project(TELL), store)
    debugging = (await shop.track(payload(hit("e-1"), hit("e-2", "hop"), hit("e-1")), profile_less=True))["debugging"]
    became = {key: one["disposition"] for key, one in debugging["execution"].items()}
    assert became == {"e-1": "stored", "e-2": "stored", "#2": "duplicate"}
    assert [run["outcome"] for key in ("e-1", "e-2") for run in debugging["execution"][key]["runs"]] == ["finished"] * 2
    events = debugging["events"]
    assert (events["saved"], events["ids"], events["types"]) == (2, ["e-1", "e-2"], ["hit", "hop"])
    assert [line["message"] for line in debugging["logs"]] == ["hit", "hop"]


@pytest.mark.parametrize("types", [("hit", "look"), ("look", "hit")], ids=["seen last", "seen first"])
async def test_one_unit_that_has_seen_a_stranger_closes_the_whole_answer(store: Store, types: tuple[str, ...]) -> None:
    shop = shop_of(store, LINK, LOGIN, LOOKUP, TELL)
    email = {"email": "ann@example.com"}
    await shop.track(from_till({"type": "login", "properties": email}))
    events = [{"type": type, "properties": email} for type in types]
    answer = await shop.track(payload(*events, session="thief"), profile_less=True)
    assert "response" not in answer
    assert "withheld" in answer["debugging"]
    assert "s3cret" not in str(answer)


class ForgottenMeanwhile:
    """A store in which a session is forgotten after the first unit, by another process."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.units = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, unit: Unit) -> None:
        self.units += 1
        if self.units == 2:
            secret = await self.store.secret()
            await write_tombstones(self.store, [session_tombstone(secret, ("shop", "s-1"))])
            raise Conflict("session", "s-1")
        await self.store.commit(unit)


async def test_a_refusal_after_other_events_were_stored_is_an_error_of_its_event(store: Store) -> None:
    body = {**payload(hit("e-1"), hit("e-2")), "options": {"saveSession": False}}
    shop = Collector(project(TELL), ForgottenMeanwhile(store))
    answer = await shop.track(body, profile_less=True, debug=False)
    (error,) = answer["errors"]
    assert error["index"] == 1
    assert error["reason"].startswith("it was not taken: the person of this session")
    assert await store.event("e-1") is not None
    assert await store.event("e-2") is None
    assert shop.pipeline.ledger.totals().received == 1

"""Passing a node that throttles counts once: on conflicts, side by side, and on two servers of one store."""

import asyncio
from typing import Any

import msgspec

from engine.ports.store import Conflict
from engine.profile.fold import fold
from engine.project.project import Settings
from engine.project.secret import Secret
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.pipeline.test_profile_queue import GatedStore
from tests.projects import project

OFFER = """
    flow: offer
    trigger: {event: seen}
    profile: required
    nodes:
      calm: {throttle: {most: 2, per: 1h}, next: {passed: offer}}
      offer: {respond: {offer: yes}}
"""
FAILING = """
    flow: failing
    trigger: {event: seen}
    profile: required
    nodes:
      calm: {throttle: {most: 1, per: 1h}, next: end}
      end: {fail: always}
"""


def seen(id: str) -> dict[str, Any]:
    return {"source": {"id": "shop"}, "session": {"id": "s"}, "visitor": {"id": "v"}, "events": [{"id": id, "type": "seen"}]}  # fmt: skip  # noqa: E501


def passed(answers: list[dict[str, Any]]) -> int:
    return sum("offer" in answer.get("response", {}) for answer in answers)


async def test_a_run_that_is_repeated_after_conflicts_counts_once() -> None:
    store = GatedStore(MemoryStore())
    store.open.set()
    shop = Collector(project(OFFER), store)
    await shop.track(seen("warm-up"))
    store.failures = [Conflict("profile", "p"), Conflict("profile", "p")]
    assert passed([await shop.track(seen(str(i))) for i in range(3)]) == 1


async def test_of_many_at_once_on_two_servers_no_more_pass() -> None:
    store = MemoryStore()
    servers = [Collector(project(OFFER), store), Collector(project(OFFER), store)]
    await servers[0].track(seen("warm-up"))
    answers = await asyncio.gather(*[servers[i % 2].track(seen(str(i))) for i in range(20)])
    assert passed(list(answers)) == 1


async def test_a_run_that_fails_counts_nothing() -> None:
    store = MemoryStore()
    shop = Collector(project(FAILING), store)
    answers = [await shop.track(seen(str(i))) for i in range(2)]
    profile = await store.profile(answers[-1]["profile"]["id"])
    assert profile is not None
    assert "recent" not in fold(profile)


async def test_a_hash_key_is_in_no_answer_and_in_no_record() -> None:
    flow = """
        flow: hashed
        trigger: {event: seen}
        nodes:
          a: {let: {id: "{{ event.id | hmac('partner') }}"}, next: b}
          b: {respond: {id: "{{ nodes.a.out.id }}"}}
    """
    secret = "a very secret text"
    made = project(settings=Settings(hash_keys={"partner": Secret(secret)}))
    compiled = project(flow, hash_keys=frozenset({"partner"})).flows
    store = GatedStore(MemoryStore())
    store.open.set()
    answer = await Collector(msgspec.structs.replace(made, flows=compiled), store).track(seen("e"))
    assert len(answer["response"]["id"]) == 64
    assert secret not in str(answer)
    assert store.units
    assert secret not in msgspec.json.encode(store.units, enc_hook=dict).decode()

"""A profile that has reached its size: runs that would make it larger fail, and everything else goes on."""

from typing import Any

import msgspec
import pytest

from engine.flow.output_limits import MAX_PROFILE
from engine.ports.store import Store
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project

KEEP = """
flow: keep
trigger: {event: note}
profile: required
nodes:
  keep: {profile.add: {traits.notes: "{{ event.properties.text }}"}}
"""
COUNT = """
flow: count
trigger: {event: note}
profile: required
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
CLEAR = """
flow: clear
trigger: {event: clear}
profile: required
nodes:
  clear: {profile.set: {traits.notes: []}}
"""
NOTE = 60_000


def note(number: int) -> dict[str, Any]:
    return {"type": "note", "properties": {"text": f"{number:04d}" + "x" * (NOTE - 4)}}


def outcomes(answer: dict[str, Any], flow: str) -> list[str]:
    runs = [run for event in answer["debugging"]["execution"].values() for run in event["runs"]]
    return [run["outcome"] for run in runs if run.get("flow") == flow]


async def view(shop: Collector) -> dict[str, Any]:
    session = await shop.store.session("shop", "s-1")
    assert session is not None
    return await shop.profile(str(session.profile))


@pytest.mark.parametrize("together", [1, 8], ids=["one by one", "in large payloads"])
async def test_a_profile_grows_up_to_its_size_and_later_runs_fail_without_the_others(
    store: Store, together: int
) -> None:
    shop = Collector(project(KEEP, COUNT, CLEAR), store)
    answers = [
        await shop.track(payload(*(note(number * together + i) for i in range(together))))
        for number in range(24 // together)
    ]
    kept = [outcome for answer in answers for outcome in outcomes(answer, "keep")]
    fitting = MAX_PROFILE // NOTE
    assert kept == ["finished"] * fitting + ["failed"] * (24 - fitting)
    assert [outcome for answer in answers for outcome in outcomes(answer, "count")] == ["finished"] * 24
    grown = await view(shop)
    assert len(msgspec.json.encode(grown)) <= MAX_PROFILE
    assert grown["traits"]["count"] == 24


async def test_a_profile_that_has_been_cleared_takes_values_again(store: Store) -> None:
    shop = Collector(project(KEEP, CLEAR), store)
    for number in range(MAX_PROFILE // NOTE + 1):
        await shop.track(payload(note(number)))
    assert outcomes(await shop.track(payload("clear")), "clear") == ["finished"]
    assert outcomes(await shop.track(payload(note(1))), "keep") == ["finished"]

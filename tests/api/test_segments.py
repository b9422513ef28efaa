"""Segments as operators read them."""

from typing import Any

from effects.clock import ManualClock
from engine.language.expression import compile_condition
from engine.project.segment import Segment
from tests.api.conftest import Serve
from tests.projects import payload, project

SET = """
flow: set
trigger: {event: set}
nodes:
  set: {profile.set: {traits.revenue: "{{ event.properties.revenue }}"}, next: mark}
  mark: {segment.add: vip}
"""
STEADY = Segment(
    name="steady",
    description="Who has stayed rich.",
    condition=compile_condition("profile.traits.revenue > 100"),
    for_ms=604_800_000,
)
SEGMENTS: dict[str, Any] = {"vip": None, "steady": STEADY, "lapsed": "profile.metadata.last_seen < now - days(30)"}


async def started(serve: Serve) -> tuple[Any, str, ManualClock]:
    """A server, the id of a profile with revenue 200, and the clock."""
    clock = ManualClock()
    client = await serve(project(SET, segments=SEGMENTS), clock=clock, keeps_up=False)
    answer = await client.post("/track", json=payload({"type": "set", "properties": {"revenue": 200}}))
    return client, answer.json()["profile"]["id"], clock


async def test_the_segments_are_listed(serve: Serve) -> None:
    client, _, _ = await started(serve)
    listing = (await client.get("/segments")).json()
    assert listing["segments"] == [
        {
            "segment": "lapsed",
            "description": "",
            "manual": False,
            "condition": "profile.metadata.last_seen < now - days(30)",
        },
        {
            "segment": "steady",
            "description": "Who has stayed rich.",
            "manual": False,
            "condition": "profile.traits.revenue > 100",
            "for": "7d",
        },
        {"segment": "vip", "description": "", "manual": True},
    ]
    assert listing["progress"] is None


async def test_the_answer_explains_the_membership_of_a_profile(serve: Serve) -> None:
    client, id, clock = await started(serve)
    membership = (await client.get(f"/profiles/{id}/segments/steady")).json()
    begun, week = clock.now(), 604_800_000
    assert membership == {
        "profile": id,
        "segment": "steady",
        "description": "Who has stayed rich.",
        "manual": False,
        "condition": "profile.traits.revenue > 100",
        "for": "7d",
        "member": False,
        "holds": True,
        "values": {"profile.traits.revenue": 200},
        "since": None,
        "holds_since": begun,
        "held_until": None,
        "late": False,
        "due": begun + week,
    }
    clock.advance(week)
    membership = (await client.get(f"/profiles/{id}/segments/steady")).json()
    assert (membership["member"], membership["late"], membership["due"]) == (False, True, None)


async def test_a_segment_that_is_filled_by_hand_has_a_time_and_no_condition(serve: Serve) -> None:
    client, id, clock = await started(serve)
    membership = (await client.get(f"/profiles/{id}/segments/vip")).json()
    assert (membership["member"], membership["since"], "condition" in membership) == (True, clock.now() + 1, False)


async def test_an_unknown_profile_or_segment_is_answered_404_with_a_remedy(serve: Serve) -> None:
    client, id, _ = await started(serve)
    unknown = await client.get(f"/profiles/{id}/segments/stedy")
    assert (unknown.status_code, unknown.json()["detail"]) == (
        404,
        "there is no segment `stedy`; did you mean `steady`?",
    )
    response = await client.get("/profiles/unknown/segments/steady")
    assert response.status_code == 404
    assert "no profile has the id unknown" in response.json()["detail"]

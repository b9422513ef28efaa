"""Values that identify no person: they join no profiles, and are refused as ids of sessions and profiles."""

from typing import Any

import pytest

from engine.profile.key import KeyRules
from engine.project.project import Settings
from engine.project.source import Source
from tests.api.conftest import Serve
from tests.projects import payload, project

NIL = "00000000-0000-0000-0000-000000000000"
DEVICE = """
flow: device
trigger: {event: app-opened}
nodes:
  who:
    profile.merge: {traits.device: "{{ event.properties.device }}"}
    next: {merged: noted, unchanged: noted, failed: nobody}
  noted:
    profile.set: {traits.model: "{{ event.properties.model }}"}
  nobody:
    log: "a phone without an id"
"""
KIOSK = Settings(keys=KeyRules(never=frozenset({"kiosk"})))


def opened(session: str, model: str, device: object) -> dict[str, Any]:
    event = {"type": "app-opened", "properties": {"device": device, "model": model}}
    return payload(event, session=session, options={"profile": True, "debugger": True})


async def test_two_phones_that_hide_their_advertising_id_are_two_profiles(serve: Serve) -> None:
    client = await serve(project(DEVICE))
    answers = [(await client.post("/track", json=opened(f"phone-{model}", model, NIL))).json() for model in ("A", "B")]
    assert answers[0]["profile"]["id"] != answers[1]["profile"]["id"]
    for answer in answers:
        assert answer["profile"]["traits"] == {}
        (event,) = answer["debugging"]["execution"].values()
        who = event["runs"][0]["steps"][0]
        assert who["port"] == "failed"
        assert who["error"] == f"`{NIL}` at `traits.device` is a placeholder and identifies no person"


async def test_two_phones_with_one_real_id_are_one_profile(serve: Serve) -> None:
    client = await serve(project(DEVICE))
    ids = [
        (await client.post("/track", json=opened(f"phone-{model}", model, 10))).json()["profile"]["id"]
        for model in ("A", "B")
    ]
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    "id", [NIL, NIL.replace("-", ""), f"{{{NIL}}}", "F" * 32, "{{ session }}", "(not set)", "Kiosk"]
)
@pytest.mark.parametrize("path", ["/track", "/consent", "/collect/page-view/shop/"])
async def test_a_session_id_that_identifies_nobody_is_refused_at_every_address(
    serve: Serve, path: str, id: str
) -> None:
    client = await serve(project(DEVICE, settings=KIOSK))
    bodies = {
        "/track": payload("page-view", session=id),
        "/consent": {**payload(session=id), "consents": {"ads": True}},
    }
    if path in bodies:
        answer = await client.post(path, json=bodies[path])
    else:
        answer = await client.post(path + id.replace("{", "%7B").replace("}", "%7D").replace(" ", "%20"), json={})
    assert (answer.status_code, answer.json()["at"]) == (400, "/session/id")
    assert "make one per visit" in answer.json()["detail"]


@pytest.mark.parametrize("id", [NIL, "undefined", "<nil>", "kiosk"])
async def test_a_profile_id_that_identifies_nobody_is_refused(serve: Serve, id: str) -> None:
    client = await serve(project(DEVICE, settings=KIOSK))
    answer = await client.post("/track", json=payload("page-view", profile={"id": id}))
    assert (answer.status_code, answer.json()["at"]) == (400, "/profile/id")


async def test_a_source_that_makes_sessions_makes_one_in_place_of_a_placeholder(serve: Serve) -> None:
    client = await serve(project(DEVICE, sources=(Source(source="shop", sessions="made"),)))
    ids = {(await client.post("/track", json=payload("x", session=NIL))).json()["profile"]["id"] for _ in range(2)}
    assert len(ids) == 2


CALLER = """
flow: caller
trigger: {event: call}
nodes:
  who: {profile.merge: {pii.phone: "{{ event.properties.phone }}"}}
"""


@pytest.mark.parametrize(
    ("phones", "profiles"),
    [
        pytest.param(["+49 30 901820 ext. 12", "+49 30 901820 ext. 13"], 2, id="two extensions"),
        pytest.param(["+49 30 901820 ext. 12", "+49 30 901820"], 2, id="an extension, and the switchboard"),
        pytest.param(["+49 30 901820 ext. 12", "tel:+49-30-901820;ext=12"], 1, id="one extension in two spellings"),
    ],
)
async def test_colleagues_behind_one_switchboard_are_told_apart(serve: Serve, phones: list[str], profiles: int) -> None:
    settings = Settings(keys=KeyRules(forms=((("pii", "phone"), "phone"),)))
    client = await serve(project(CALLER, settings=settings))
    calls = [{"type": "call", "properties": {"phone": phone}} for phone in phones]
    answers = [
        (await client.post("/track", json=payload(call, session=f"desk-{i}", options={"profile": True}))).json()
        for i, call in enumerate(calls)
    ]
    assert len({answer["profile"]["id"] for answer in answers}) == profiles
    assert answers[0]["profile"]["pii"] == {"phone": "+4930901820;ext=12"}

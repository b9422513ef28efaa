"""Each action leaves an entry in the audit log, without personal data, and only administrators read it."""

from typing import Any

import pytest

from engine.ports.audit import AuditEntry
from engine.ports.kinds import SEARCHABLE
from engine.search.query import Query
from tests.api.access.console import Console, console_of, csrf_of
from tests.api.conftest import ADMIN_KEY, Serve
from tests.projects import payload

KEY = {"authorization": f"Bearer {ADMIN_KEY}"}
PASSWORD = "four words for a test"


@pytest.fixture
async def console(serve: Serve) -> Console:
    return await console_of(serve)


async def entries(console: Console) -> list[Any]:
    found = (await console.store.search(Query(SEARCHABLE["audit"]), 100)).items
    assert all(isinstance(entry, AuditEntry) for entry in found)
    return list(found)


@pytest.mark.parametrize(
    ("path", "body", "action", "outcome", "subjects"),
    [
        ("/profiles/{id}/forget", {}, "forget a profile", "done", ("forgetting/",)),
        ("/profiles/{id}/unmerge", {"link": "5d"}, "unmerge a profile", "failed", ("profile/", "link/5d")),
        ("/deliveries/retry", {"ids": ["d-1"]}, "retry deliveries", "done", ("delivery/d-1",)),
        ("/deliveries/drop", {"flow": "a", "target": "b"}, "drop deliveries", "done", ("target/b", "flow/a")),
        ("/waits/cancel", {"flow": "count"}, "cancel waits", "done", ("flow/count",)),
        ("/tasks/x/run", {}, "fire a task", "failed", ("task/x",)),
    ],
)
async def test_an_action_leaves_an_entry(
    console: Console, path: str, body: dict[str, Any], action: str, outcome: str, subjects: tuple[str, ...]
) -> None:
    profile = (await console.client.post("/track", json=payload("counted"))).json()["profile"]["id"]
    await console.client.post(path.format(id=profile), json=body, headers=KEY)
    (entry,) = await entries(console)
    assert (entry.who, entry.role, entry.via) == ("admin", "admin", "admin key")
    assert (entry.action, entry.outcome, entry.at) == (action, outcome, console.clock.now())
    assert len(entry.subjects) == len(subjects)
    assert all(found.startswith(begin) for found, begin in zip(entry.subjects, subjects, strict=True))
    if action == "forget a profile":
        assert profile not in repr(entry)


async def test_showing_personal_data_is_an_action_that_ends_by_itself(console: Console) -> None:
    await console.add("ann", "operator", PASSWORD)
    await console.sign_in("ann", PASSWORD)
    await console.client.post(
        "/track", json=payload({"id": "e-1", "type": "counted", "properties": {"email": "a@b.de"}})
    )

    async def event() -> str:
        text: str = (await console.get("/events/e-1")).text
        return text

    assert "a@b.de" not in await event()
    csrf = csrf_of(await console.get("/console/account"))
    answer = await console.post("/console/personal", {"csrf": csrf, "reason": "a call", "next": "/console/runs"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/runs")
    assert "a@b.de" in await event()
    shown = next(entry for entry in await entries(console) if entry.action == "show personal data")
    assert (shown.who, shown.reason, shown.detail) == ("ann", "a call", "for 15 minutes")
    console.clock.advance(15 * 60_000)
    assert "a@b.de" not in await event()


async def test_a_viewer_cannot_show_personal_data(console: Console) -> None:
    await console.add("ann", "viewer", PASSWORD)
    await console.sign_in("ann", PASSWORD)
    csrf = csrf_of(await console.get("/console/account"))
    assert (await console.post("/console/personal", {"csrf": csrf})).status_code == 403


async def test_signing_in_and_changes_of_users_are_in_the_log(console: Console) -> None:
    await console.add("root", "admin", PASSWORD)
    await console.sign_in("root", PASSWORD)
    csrf = csrf_of(await console.get("/console/account"))
    made = await console.post("/console/users", {"csrf": csrf, "name": "Bob", "role": "viewer"})
    assert "/console/login?setup=" in made.text
    await console.post("/console/users/bob/role", {"csrf": csrf, "role": "operator"})
    await console.post("/console/users/bob/reset", {"csrf": csrf})
    await console.post("/console/users/bob/remove", {"csrf": csrf})
    key = await console.post("/console/users/keys", {"csrf": csrf, "name": "ci", "role": "viewer"})
    assert "hrk_" in key.text
    await console.post("/console/users/keys/ci/remove/it", {"csrf": csrf})
    last = await console.post("/console/users/root/role", {"csrf": csrf, "role": "viewer"})
    assert "only administrator" in last.text
    actions = sorted((entry.action, entry.outcome) for entry in await entries(console))
    assert actions == [
        ("add a user", "done"),
        ("add an access key", "done"),
        ("change the role of a user", "done"),
        ("change the role of a user", "failed"),
        ("remove a user", "done"),
        ("reset the password of a user", "done"),
        ("revoke an access key", "done"),
        ("sign in", "done"),
    ]
    page = await console.get("/console/audit?q=who:root")
    assert page.status_code == 200
    assert "revoke an access key" in page.text


async def test_a_revoked_key_is_refused_at_once(console: Console) -> None:
    key = await console.directory.keys.add("ci", "viewer", "ann", personal=False)
    headers = {"authorization": f"Bearer {key}"}
    assert (await console.client.get("/counts", headers=headers)).status_code == 200
    assert (await console.client.post("/deliveries/drop", json={"flow": "x"}, headers=headers)).status_code == 403
    assert (await console.directory.keys.all())[0].used == console.clock.now()
    await console.directory.keys.remove("ci")
    assert (await console.client.get("/counts", headers=headers)).status_code == 401


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_only_administrators_read_the_log(console: Console, role: Any) -> None:
    key = await console.directory.keys.add("ci", role, "ann", personal=False)
    headers = {"authorization": f"Bearer {key}"}
    for path in ("/search/audit", "/console/audit"):
        assert (await console.client.get(path, headers=headers)).status_code == 403
    assert (await console.client.get("/search/audit", headers=KEY)).status_code == 200

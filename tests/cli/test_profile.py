"""`headrace profile`: shows and unmerges profiles, on the store or by its server."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from engine.project.source import Source
from storage.sqlite.lock import lock_file
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.projects import USERS, payload, project
from tests.system.server_process import serving, write_project

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}, next: count}
  count: {profile.count: logins, next: note}
  note: {profile.set: {traits.city: "{{ event.properties.city }}"}}
"""


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    """The two ids of one merged profile in the store of a project, the canonical id first."""
    write_project(tmp_path, login=LOGIN)

    async def fill() -> list[str]:
        store = SqliteStore.open(tmp_path / "headrace.db")
        shop = Collector(project(LOGIN), store)
        try:
            for session, city in (("phone", "Rome"), ("laptop", "Oslo"), ("laptop", "Bonn")):
                shop.clock.advance(1000)
                email = {} if city == "Oslo" else {"email": "ann@example.com"}
                event = {"type": "login", "properties": {"city": city, "email": f"{city}@example.com", **email}}
                answer = await shop.track(payload(event, session=session))
            merged: list[str] = (await shop.profile(answer["profile"]["id"]))["ids"]
            return merged
        finally:
            await store.close()

    return asyncio.run(fill())


def headrace(project: Path, *words: object) -> Result:
    text = [str(word) for word in words]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["profile", *text, "--project", str(project)])


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def the_link_id(project: Path, id: str) -> str:
    """The id of the link by which the second of two ids was joined with the first."""
    links = document(headrace(project, "show", id, "--why", "--json"))["why"]["links"]
    (link,) = [link["link"] for link in links if "held" in link]
    id_of_link: str = link
    return id_of_link


def test_a_profile_is_shown_by_any_of_its_ids(tmp_path: Path, ids: list[str]) -> None:
    for id in ids:
        shown = headrace(tmp_path, "show", id)
        assert shown.exit_code == 0
        assert [part for part in (ids[0], "2 ids", "traits.city: Bonn") if part not in shown.stdout] == []
        assert "Links" not in shown.stdout


def test_a_profile_is_shown_with_its_counters_and_visits(tmp_path: Path, ids: list[str]) -> None:
    shown = headrace(tmp_path, "show", ids[0]).stdout
    assert "counter logins: 3 in all, the newest 20" in shown
    assert "2 visits" in shown


def test_reading_needs_no_secret_and_prints_no_warning(tmp_path: Path, ids: list[str]) -> None:
    target = (
        'targets: {crm: {url: "http://127.0.0.1/", headers: {key: "${env:NEVER_SET}"}}, b: {url: "http://10.0.0.1"}}'
    )
    (tmp_path / "headrace.yaml").write_text(target)
    shown = headrace(tmp_path, "show", ids[0])
    assert (shown.exit_code, shown.stderr) == (0, "")


def test_why_tells_what_joined_it(tmp_path: Path, ids: list[str]) -> None:
    output = headrace(tmp_path, "show", ids[1], "--why").stdout
    wanted = [
        "● proven key pii.email (",
        "…)  a proof  link",
        f"of {ids[1]}",
        "flow login, node who",
        f"the id {ids[0]} stayed",
        f"joined {ids[1]} (left) with {ids[0]} (right)",
        the_link_id(tmp_path, ids[0]),
    ]
    assert [part for part in wanted if part not in output] == []
    assert "traits.city: left" in output
    assert "Oslo" in output


def test_a_link_that_a_login_made_names_no_flow(tmp_path: Path) -> None:
    write_project(tmp_path, login=LOGIN)

    async def log_in() -> str:
        store = SqliteStore.open(tmp_path / "headrace.db")
        shop = Collector(project(settings=USERS), store)
        try:
            body = payload("login", visitor={"id": "phone"}, user={"id": "C-1"})
            id: str = (await shop.track(body))["profile"]["id"]
            return id
        finally:
            await store.close()

    shown = headrace(tmp_path, "show", asyncio.run(log_in()), "--why").stdout
    assert "at the login" in shown
    assert "flow ," not in shown


def test_a_link_is_undone_on_the_store(tmp_path: Path, ids: list[str]) -> None:
    link = the_link_id(tmp_path, ids[0])
    undone = headrace(tmp_path, "unmerge", ids[1], link[:8])
    assert undone.exit_code == 0
    assert [id for id in ids if id not in undone.stdout] == []
    assert undone.stdout.startswith(f"Undone: the link of {ids[1]} to the proven key pii.email (")
    for id in ids:
        assert document(headrace(tmp_path, "show", id, "--json"))["ids"] == [id]
    why = headrace(tmp_path, "show", ids[1], "--why").stdout
    assert "○ proven key pii.email (" in why
    assert "a proof, undone 20" in why


def test_the_result_of_an_unmerge_is_printed_as_a_document(tmp_path: Path, ids: list[str]) -> None:
    undone = document(headrace(tmp_path, "unmerge", ids[0], the_link_id(tmp_path, ids[0]), "--json"))
    assert sorted(profile["id"] for profile in undone["profiles"]) == sorted(ids)


def test_a_running_server_is_asked_instead_of_its_file(tmp_path: Path, ids: list[str]) -> None:
    link = the_link_id(tmp_path, ids[0])
    with serving(tmp_path, tmp_path / "headrace.db") as served:
        refused = headrace(tmp_path, "unmerge", ids[0], link)
        assert (refused.exit_code, "--url" in refused.stderr) == (2, True)
        assert headrace(tmp_path, "show", ids[0]).exit_code == 0
        assert "Links" in headrace(tmp_path, "show", ids[0], "--why", "--url", served.address).stdout
        undone = document(headrace(tmp_path, "unmerge", ids[0], link, "--url", served.address, "--json"))
        assert len(undone["profiles"]) == 2
        unknown = headrace(tmp_path, "unmerge", ids[0], "nowhere", "--url", served.address)
        assert (unknown.exit_code, "404" in unknown.stderr) == (2, True)
        for id in ("..", "a/../b", "50%"):
            missing = headrace(tmp_path, "show", id, "--url", served.address)
            assert (missing.exit_code, f"there is no profile {id}" in missing.stderr) == (2, True), missing.stderr


@pytest.fixture
def claiming(tmp_path: Path, ids: list[str]) -> list[str]:
    """Two ids that claims join, the canonical one first; they claim what the profile of `ids` has proven."""

    async def fill() -> list[str]:
        store = SqliteStore.open(tmp_path / "headrace.db")
        shop = Collector(project(LOGIN, sources=(Source(source="page", profiles=True),)), store)
        try:
            for session in ("s-1", "s-2"):
                event = {"type": "login", "properties": {"email": "ann@example.com", "city": "Rome"}}
                answer = await shop.track(payload(event, session=session, source={"id": "page"}))
            joint: list[str] = (await shop.profile(answer["profile"]["id"]))["ids"]
            return joint
        finally:
            await store.close()

    return asyncio.run(fill())


def test_the_profiles_that_claim_its_keys_are_shown_on_request(
    tmp_path: Path, ids: list[str], claiming: list[str]
) -> None:
    entry = {"key": "pii.email", "profile": claiming[0], "ids": claiming}
    assert document(headrace(tmp_path, "show", ids[1], "--claims", "--json"))["claims"] == [entry]
    assert f"pii.email  profile {claiming[0]} with" in headrace(tmp_path, "show", ids[1], "--claims").stdout
    assert "Claims" not in headrace(tmp_path, "show", ids[1]).stdout
    joint = headrace(tmp_path, "show", claiming[1], "--claims", "--why").stdout
    wanted = [f"only claims join {claiming[0]}", "● claimed key pii.email (", "a claim", "Claims: other profiles"]
    assert [part for part in wanted if part not in joint] == []


def test_a_server_shows_the_same_as_its_store(tmp_path: Path, ids: list[str], claiming: list[str]) -> None:
    with serving(tmp_path, tmp_path / "headrace.db") as served:
        for id in (ids[1], claiming[1]):
            words = ("show", id, "--claims", "--why", "--json")
            assert document(headrace(tmp_path, *words, "--url", served.address)) == document(headrace(tmp_path, *words))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["show", "nobody"], 1, "No profile has the id nobody; `headrace search profiles`", id="nobody"),
        pytest.param(["unmerge", "nobody", "x" * 32], 1, "No profile has the id nobody", id="no profile to be split"),
        pytest.param(["unmerge", "KNOWN", "x" * 32], 1, "no link", id="no such link"),
        pytest.param(["show", "x", "--store", "memory:"], 2, "--url", id="memory"),
        pytest.param(["show", "x", "--store", "sqlite:other.db"], 2, "no store at", id="no file"),
        pytest.param(["show", "x", "--url", "http://127.0.0.1:1"], 2, "cannot be asked", id="no server"),
    ],
)
def test_an_impossible_command_is_refused_with_a_message(
    tmp_path: Path, ids: list[str], words: list[str], code: int, message: str
) -> None:
    result = headrace(tmp_path, *(ids[0] if word == "KNOWN" else word for word in words))
    assert result.exit_code == code
    assert message in result.stderr.replace("\n", " ")


def test_a_file_that_is_being_served_is_left_to_its_server(tmp_path: Path, ids: list[str]) -> None:
    with lock_file(tmp_path / "headrace.db"):
        assert headrace(tmp_path, "unmerge", ids[0], the_link_id(tmp_path, ids[0])).exit_code == 2

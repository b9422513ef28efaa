"""`headrace profile timeline`: what became of a profile, on the store or by its server."""

import asyncio
import json
from pathlib import Path

import pytest
from msgspec import structs
from typer.testing import CliRunner, Result

from cli.main import app
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.projects import SETTINGS, payload, project
from tests.system.server_process import serving, write_project

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""
ALL_KEPT = structs.replace(SETTINGS, shares={"finished": 1.0})


@pytest.fixture
def id(tmp_path: Path) -> str:
    """The id of a merged profile in the store of a project."""
    write_project(tmp_path, login=LOGIN)

    async def fill() -> str:
        store = SqliteStore.open(tmp_path / "headrace.db")
        shop = Collector(project(LOGIN, settings=ALL_KEPT), store)
        try:
            for session in ("phone", "laptop"):
                shop.clock.advance(1000)
                event = {"type": "login", "properties": {"email": "ann@example.com", "note": "\x1b[31mred"}}
                answer = await shop.track(payload(event, session=session))
            profile: str = answer["profile"]["id"]
            return profile
        finally:
            await store.close()

    return asyncio.run(fill())


def headrace(project: Path, *words: object) -> Result:
    text = [str(word) for word in words]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["profile", "timeline", *text, "--project", str(project)])


@pytest.mark.parametrize("wanted", ["ID", "ann@example.com", " Ann@Example.com", "pii.email=ann@example.com"])
def test_a_timeline_is_found_by_an_id_or_a_key(tmp_path: Path, id: str, wanted: str) -> None:
    shown = headrace(tmp_path, id if wanted == "ID" else wanted)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(f"Timeline of {id}")


def test_events_runs_and_links_are_merged_by_time(tmp_path: Path, id: str) -> None:
    lines = headrace(tmp_path, id).stdout.splitlines()
    assert ["login  email=ann@example.com" in line for line in lines] == [False, True, False, False, True, False, False]
    assert "login who:merged" in lines[2]
    assert "two ids became one person by the proven key pii.email" in lines[3]
    assert "login who:unchanged" in lines[5]


def test_control_characters_are_not_printed(tmp_path: Path, id: str) -> None:
    assert "\x1b[31m" not in headrace(tmp_path, id).stdout


def test_json_has_the_documents(tmp_path: Path, id: str) -> None:
    found = json.loads(headrace(tmp_path, id, "--json").stdout)
    assert (found["profile"], found["before"]) == (id, None)
    assert [entry["kind"] for entry in found["entries"]] == ["event", "link", "event", "link"]
    earlier = json.loads(headrace(tmp_path, id, "--json", "--before", found["entries"][2]["at"]).stdout)
    assert earlier["entries"] == found["entries"][2:]


def test_an_unknown_profile_is_an_error(tmp_path: Path, id: str) -> None:
    shown = headrace(tmp_path, "absent@example.com")
    assert shown.exit_code == 1
    assert "No profile has the id or the key absent@example.com." in shown.output


def test_a_server_is_asked_for_it(tmp_path: Path, id: str) -> None:
    with serving(tmp_path, tmp_path / "headrace.db") as served:
        shown = headrace(tmp_path, "ann@example.com", "--url", served.address)
        assert shown.exit_code == 0, shown.output
        assert shown.stdout.startswith(f"Timeline of {id}")
        assert headrace(tmp_path, "absent", "--url", served.address).exit_code == 2

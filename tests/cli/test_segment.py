"""`headrace segment explain`, on the store or by its server."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from effects.clock import SystemClock
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.pipeline.test_segment_events import SET, revenue
from tests.projects import project
from tests.system.server_process import serving, write_project

CONDITION = "profile.traits.revenue >= 100 and profile.metadata.last_seen > now - days(30)"


@pytest.fixture
def id(tmp_path: Path) -> str:
    """The id of a profile in the store of a project with the segments `active` and `vip`."""
    write_project(tmp_path, set=SET)
    (tmp_path / "segments").mkdir()
    text = f"segment: active\ndescription: Customers who buy.\ncondition: {CONDITION}\nwithin: 7d\n"
    (tmp_path / "segments" / "active.yaml").write_text(text)
    (tmp_path / "segments" / "vip.yaml").write_text("segment: vip\nmanual: true\n")

    async def fill() -> str:
        store = SqliteStore.open(tmp_path / "headrace.db")
        shop = Collector(project(SET, segments={"active": CONDITION, "vip": None}), store)
        shop.clock.set(SystemClock().now())
        try:
            answer = await shop.track(revenue(200))
            return str(answer["profile"]["id"])
        finally:
            await store.close()

    return asyncio.run(fill())


def headrace(project: Path, *words: object) -> Result:
    text = [str(word) for word in words]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["segment", "explain", *text, "--project", str(project)])


def test_a_segment_is_explained_with_the_values_of_its_condition(tmp_path: Path, id: str) -> None:
    result = headrace(tmp_path, id, "active")
    assert result.exit_code == 0, result.output
    assert f"Profile {id} belongs to active  since 20" in result.output
    assert f"condition: {CONDITION}" in result.output
    assert "profile.traits.revenue = 200\n" in result.output
    assert "profile.metadata.last_seen = 1" in result.output
    assert "It holds now. A member stays for 7d after that." in result.output
    assert "Time alone may change this at 20" in result.output


def test_an_explanation_is_printed_as_json(tmp_path: Path, id: str) -> None:
    result = headrace(tmp_path, id, "active", "--json")
    document = json.loads(result.stdout)
    assert (document["profile"], document["member"], document["within"]) == (id, True, "7d")


def test_a_manual_segment_is_explained_as_filled_by_hand(tmp_path: Path, id: str) -> None:
    result = headrace(tmp_path, id, "vip")
    assert f"Profile {id} does not belong to vip" in result.output
    assert "It is filled by hand" in result.output


@pytest.mark.parametrize(("words", "message"), [
    pytest.param(("{id}", "activ"), "There is no segment `activ`; did you mean `active`?", id="unknown segment"),
    pytest.param(("nobody", "active"), "No profile has the id nobody", id="unknown id"),
])  # fmt: skip
def test_an_unknown_name_is_reported_with_a_remedy(
    tmp_path: Path, id: str, words: tuple[str, str], message: str
) -> None:
    result = headrace(tmp_path, *[word.format(id=id) for word in words])
    assert result.exit_code == 1
    assert message in result.output


def test_a_missing_store_is_reported(tmp_path: Path) -> None:
    write_project(tmp_path, set=SET)
    result = headrace(tmp_path, "x", "active")
    assert result.exit_code == 2
    assert "There is no store" in result.output


def test_a_running_server_explains_a_segment(tmp_path: Path, id: str) -> None:
    with serving(tmp_path, tmp_path / "headrace.db") as served:
        result = headrace(tmp_path, id, "active", "--url", served.address)
    assert result.exit_code == 0, result.output
    assert f"Profile {id} belongs to active" in result.output

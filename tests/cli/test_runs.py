"""`headrace runs`, `replay` and `graph`: what operators do with kept runs at a terminal."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.run_counting import RunCounting
from cli.main import app
from effects.clock import SystemClock
from engine.project.project import Settings
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project
from tests.system.server_process import serving, write_project

KEPT = Settings(shares={"finished": 1.0})
CART = """
flow: cart
trigger: {event: cart-updated}
nodes:
  remember: {profile.set: {traits.total: "{{ event.properties.total }}"}, next: big}
  big: {if: event.properties.total > 500, next: {then: praise}}
  praise: {profile.set: {traits.big: true}}
"""


def headrace(project: Path, *words: object) -> Result:
    text = [str(word) for word in words]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*text, "--project", str(project)])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with the runs of four carts: two have no total, of the others one is big."""

    async def fill() -> None:
        store = SqliteStore.open(tmp_path / "headrace.db")
        collector = Collector(project(CART, settings=KEPT), store)
        collector.clock.set(SystemClock().now())
        for number, total in enumerate((None, None, 300, 700)):
            properties = {} if total is None else {"total": total}
            await collector.track(payload({"type": "cart-updated", "id": f"c-{number}", "properties": properties}))
        await RunCounting(collector.pipeline).write()
        await store.close()

    write_project(tmp_path, cart=CART)
    asyncio.run(fill())
    return tmp_path


def run_ids(shop: Path, where: str) -> list[str]:
    result = headrace(shop, "runs", "--where", where, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line)["id"] for line in result.stdout.splitlines()]


def test_a_list_says_how_many_runs_there_were_and_which_are_kept(shop: Path) -> None:
    result = headrace(shop, "runs")
    assert result.exit_code == 0, result.output
    assert "4 runs in the last 24h, counted exactly: " in result.stdout
    assert "Kept are all runs that failed" in result.stdout
    assert result.stdout.count("remember: `event.properties.total` is absent") == 2


def test_all_runs_are_grouped_by_their_reasons(shop: Path) -> None:
    result = headrace(shop, "runs", "--group", "outcome,reason", "--json")
    groups = [json.loads(line) for line in result.stdout.splitlines()]
    assert {"outcome": "failed", "reason": "`event.properties.total` is absent", "runs": 2} in groups
    assert {"outcome": "finished", "reason": "", "runs": 2} in groups


def test_groups_take_no_query_and_say_why(shop: Path) -> None:
    result = headrace(shop, "runs", "--group", "flow", "--where", "flow:cart")
    assert (result.exit_code, "Groups count all runs" in result.output) == (2, True)


def test_a_run_is_shown_with_the_steps_of_its_trace(shop: Path) -> None:
    (id, _) = run_ids(shop, "outcome:failed")
    result = headrace(shop, "runs", "show", id)
    assert result.exit_code == 0, result.output
    assert "the port leads nowhere, so the run failed" in result.stdout
    assert "kept: failed" in result.stdout
    assert headrace(shop, "runs", "show", "none").exit_code == 2


def test_a_replay_against_another_project_prints_the_runs_that_differ(shop: Path, tmp_path: Path) -> None:
    other = tmp_path / "next"
    other.mkdir()
    write_project(other, cart=CART.replace("500", "200"))
    result = headrace(shop, "replay", "--where", "flow:cart", "--with", other)
    assert result.exit_code == 0, result.output
    assert "4 runs replayed, 1 differ. Nothing was written, nothing was sent." in result.stdout
    assert "+ praise:done" in result.stdout


def test_failed_runs_are_applied_once_with_the_flow_that_is_there_now(shop: Path) -> None:
    write_project(shop, cart=CART.replace("event.properties.total }}", "event.properties.total | default(0) }}"))
    first = headrace(shop, "replay", "--where", "outcome:failed", "--apply")
    assert first.exit_code == 0, first.output
    assert "2 runs were done again." in first.stdout
    again = headrace(shop, "replay", *run_ids(shop, "outcome:failed"), "--apply")
    assert again.exit_code == 1
    assert again.stdout.count("was done again before: see run") == 2
    assert len(run_ids(shop, 'outcome:finished nodes:"remember:done"')) == 4


@pytest.mark.parametrize(("format", "begins"), [("svg", "<svg"), ("mermaid", "flowchart TD"), ("dot", "digraph {")])
def test_a_flow_is_drawn_with_the_path_of_a_run(shop: Path, format: str, begins: str) -> None:
    id = run_ids(shop, "outcome:failed")[0]
    result = headrace(shop, "graph", "cart", "--run", id, "--format", format)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(begins)
    assert "praise" in result.stdout


def test_a_flow_that_is_not_there_gets_the_closest_name(shop: Path) -> None:
    result = headrace(shop, "graph", "card")
    assert (result.exit_code, "`cart`" in result.output) == (2, True)


async def test_an_event_is_sent_to_a_server_and_its_trace_is_printed(tmp_path: Path) -> None:
    write_project(tmp_path / "shop", cart=CART)
    with serving(tmp_path / "shop", tmp_path / "store.db") as server:
        words = ("send", "cart-updated", "--set", "total=700", "--url", server.address)
        sent = await asyncio.to_thread(headrace, tmp_path / "shop", *words)
        assert sent.exit_code == 0, sent.output
        assert "remember › big:then › praise" in sent.stdout
        file = tmp_path / "event.json"
        file.write_text('{"type": "cart-updated", "id": "c-9", "properties": {"total": 5}}')
        again = await asyncio.to_thread(headrace, tmp_path / "shop", "send", file, "--url", server.address, "--json")
        assert json.loads(again.stdout)["debugging"]["execution"]["c-9"]["disposition"] == "stored"
        wrong = await asyncio.to_thread(
            headrace, tmp_path / "shop", "send", "x", "--set", "total", "--url", server.address
        )
        assert (wrong.exit_code, "NAME=VALUE" in wrong.output) == (2, True)

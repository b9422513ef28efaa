"""`headrace task`, on the store or by its server."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.system.server_process import serving, write_project

NIGHTLY = """flow: nightly
trigger: {schedule: "0 6 * * *", timezone: Europe/Berlin}
nodes:
  before: {state.get: {key: count, default: 0}, next: keep}
  keep: {state.set: {key: count, value: "{{ nodes.before.out + 1 }}"}}
"""
FAILING = 'flow: failing\ntrigger: {every: 1h}\nnodes: {end: {fail: "the price list is empty"}}\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with two scheduled flows, and an empty store."""
    write_project(tmp_path, nightly=NIGHTLY, failing=FAILING)
    assert CliRunner().invoke(app, ["migrate", str(tmp_path)]).exit_code == 0
    return tmp_path


def headrace(root: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["task", *words, "--project", str(root)])


def test_scheduled_flows_are_listed_with_their_schedules(root: Path) -> None:
    result = headrace(root, "list")
    assert result.exit_code == 0, result.output
    assert "nightly  0 6 * * * in Europe/Berlin, catch-up last  new" in result.output


def test_a_flow_is_fired_and_keeps_its_state(root: Path) -> None:
    assert "finished" in headrace(root, "run", "nightly").output
    assert headrace(root, "run", "nightly").exit_code == 0
    assert "count = 2" in headrace(root, "state", "nightly").output
    assert re.search(r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  finished", headrace(root, "log", "nightly").output)
    shown = json.loads(headrace(root, "log", "nightly", "--json").stdout)
    assert [record["outcome"] for record in shown["log"]] == ["finished", "finished"]


def test_a_firing_that_fails_ends_with_exit_code_1(root: Path) -> None:
    result = headrace(root, "run", "failing")
    assert result.exit_code == 1
    assert "failed: the price list is empty" in result.output


def test_a_flow_is_paused_and_resumed(root: Path) -> None:
    assert "paused; next never" in headrace(root, "pause", "nightly").output
    assert "waiting; next 20" in headrace(root, "resume", "nightly").output


@pytest.mark.parametrize("command", ["run", "state", "log", "pause", "resume"])
def test_a_name_without_a_schedule_is_an_error(root: Path, command: str) -> None:
    result = headrace(root, command, "other")
    assert result.exit_code == 1
    assert "o flow with a schedule has the name other" in result.output


def test_a_server_does_what_the_command_asks_for(root: Path) -> None:
    with serving(root, root / "headrace.db") as server:
        url = ("--url", server.address)
        assert "finished" in headrace(root, "run", "nightly", *url).output
        assert "count = 1" in headrace(root, "state", "nightly", *url).output
        assert "nightly" in headrace(root, "list", *url).output
        assert "has the name other" in headrace(root, "run", "other", *url).output
        refused = headrace(root, "run", "nightly")
        assert (refused.exit_code, "let its server do it" in refused.output) == (2, True)

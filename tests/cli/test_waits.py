"""`headrace waits`: runs that wait are listed, shown and cancelled, on the store and by its server."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from effects.clock import SystemClock
from engine.profile.document import WaitStub
from storage.sqlite.lock import lock_file
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project
from tests.system.server_process import serving, write_project

CART = """
flow: cart
trigger: {event: cart-updated}
while_waiting: parallel
nodes:
  bought: {wait.for: {event: order-completed}, timeout: 2h, next: {timeout: remind}}
  remind: {profile.set: {traits.reminded: true}}
"""
NAP = """
flow: nap
trigger: {event: tired}
while_waiting: parallel
nodes:
  sleep: {wait: 1h, next: rise}
  rise: {profile.set: {traits.awake: true}}
"""


def headrace(project: Path, *words: object) -> Result:
    text = [str(word) for word in words]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["waits", *text, "--project", str(project)])


def documents(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def in_store(tmp_path: Path, *events: str, clock: SystemClock | None = None) -> list[WaitStub]:
    """The open waits of one profile after these events."""

    async def fill() -> list[WaitStub]:
        store = SqliteStore.open(tmp_path / "headrace.db")
        try:
            shop = Collector(project(CART, NAP), store)
            shop.clock.set(SystemClock().now())
            for event in events:
                shop.clock.advance(1)
                answer = await shop.track(payload(event))
            profile = await store.profile(answer["profile"]["id"])
            assert profile is not None
            return list(profile.waits)
        finally:
            await store.close()

    return asyncio.run(fill())


@pytest.fixture
def waits(tmp_path: Path) -> list[WaitStub]:
    """The open waits in the store of a project: two of the flow `cart`, then one of `nap`."""
    write_project(tmp_path, cart=CART, nap=NAP)
    return in_store(tmp_path, "cart-updated", "cart-updated", "tired")


def test_open_waits_are_listed_the_newest_first(tmp_path: Path, waits: list[WaitStub]) -> None:
    found = documents(headrace(tmp_path, "list", "--json"))
    assert [wait["id"] for wait in found] == [stub.id for stub in reversed(waits)]
    nap, cart, _ = found
    assert (nap["flow"], nap["due"], nap.get("on")) == ("nap", waits[2].due, None)
    assert (cart["flow"], cart["due"], cart["on"], cart["profile"]) == (
        *("cart", waits[1].due, ["order-completed"], waits[1].of),
    )
    table = headrace(tmp_path, "list").stdout
    assert "order-completed" in table
    assert waits[0].id in table
    limited = headrace(tmp_path, "list", "--limit", 2)
    assert "These are the newest 2" in limited.stderr


def test_those_of_a_flow_or_of_a_version_are_listed(tmp_path: Path, waits: list[WaitStub]) -> None:
    (nap,) = documents(headrace(tmp_path, "list", "--flow", "nap", "--json"))
    assert documents(headrace(tmp_path, "list", "--version", nap["version"][:6], "--json")) == [nap]
    none = headrace(tmp_path, "list", "--flow", "other")
    assert (none.exit_code, none.stderr) == (0, "No run waits.\n")


def test_one_is_shown(tmp_path: Path, waits: list[WaitStub]) -> None:
    shown = documents(headrace(tmp_path, "show", waits[0].id, "--json"))
    assert (shown["flow"], shown["due"]) == ("cart", waits[0].due)
    assert "for: order-completed" in headrace(tmp_path, "show", waits[0].id).stdout
    unknown = headrace(tmp_path, "show", "nothing")
    assert (unknown.exit_code, unknown.stderr) == (1, "There is no open wait nothing.\n")


def test_one_is_cancelled_and_the_others_stay(tmp_path: Path, waits: list[WaitStub]) -> None:
    done = headrace(tmp_path, "cancel", waits[0].id, "nothing")
    assert (done.exit_code, done.stdout) == (1, f"Cancelled: {waits[0].id} of the flow cart.\n")
    assert done.stderr == "Not cancelled: there is no open wait nothing.\n"
    left = documents(headrace(tmp_path, "list", "--json"))
    assert [wait["id"] for wait in left] == [waits[2].id, waits[1].id]
    (run,) = documents(headrace(tmp_path, "list", "--failed", "--json"))
    assert (run["flow"], run["outcome"], run["reason"]) == ("cart", "cancelled", "an operator has cancelled it")
    assert "an operator has cancelled it" in headrace(tmp_path, "list", "--failed").stdout


def test_all_of_a_flow_are_cancelled(tmp_path: Path, waits: list[WaitStub]) -> None:
    cancelled = documents(headrace(tmp_path, "cancel", "--flow", "cart", "--json"))
    assert sorted(wait["id"] for wait in cancelled["cancelled"]) == sorted(stub.id for stub in waits[:2])
    assert [wait["flow"] for wait in documents(headrace(tmp_path, "list", "--json"))] == ["nap"]


@pytest.mark.parametrize("words", [(), ("an-id", "--flow", "cart")], ids=["neither", "both"])
def test_what_is_cancelled_must_be_clear(tmp_path: Path, words: tuple[str, ...]) -> None:
    refused = headrace(tmp_path, "cancel", *words)
    assert refused.exit_code == 2
    assert "name the ids of waits, or say --flow or" in refused.stderr


def test_a_store_that_is_served_is_left_to_its_server(tmp_path: Path, waits: list[WaitStub]) -> None:
    with lock_file(tmp_path / "headrace.db"):
        refused = headrace(tmp_path, "cancel", waits[0].id)
        assert (refused.exit_code, "is being served" in refused.stderr) == (2, True)
        assert len(documents(headrace(tmp_path, "list", "--json"))) == 3


def test_a_server_does_the_same(tmp_path: Path, waits: list[WaitStub]) -> None:
    with serving(tmp_path, tmp_path / "headrace.db") as server:
        at = ("--url", server.address)
        found = documents(headrace(tmp_path, "list", *at, "--json"))
        assert [wait["id"] for wait in found] == [stub.id for stub in reversed(waits)]
        assert documents(headrace(tmp_path, "show", waits[0].id, *at, "--json")) == found[2]
        cancelled = documents(headrace(tmp_path, "cancel", "--flow", "cart", *at, "--json"))
        assert len(cancelled["cancelled"]) == 2
        again = headrace(tmp_path, "cancel", waits[0].id, *at)
        assert (again.exit_code, again.stderr) == (1, f"Not cancelled: there is no open wait {waits[0].id}.\n")
        (nap,) = documents(headrace(tmp_path, "list", *at, "--json"))
        assert nap["flow"] == "nap"
        assert len(documents(headrace(tmp_path, "list", *at, "--failed", "--json"))) == 2


def test_a_profile_is_shown_with_its_open_waits(tmp_path: Path, waits: list[WaitStub]) -> None:
    shown = CliRunner().invoke(app, ["profile", "show", waits[0].of, "--project", str(tmp_path)])
    assert "flow cart for order-completed, until " in shown.stdout
    assert f"wait {waits[2].id}" in shown.stdout

"""`headrace deliveries`, on the store and by its server."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import DeliveryAttempt, StoredDelivery, queue_of
from engine.ports.records import RecordWrite, Unit
from storage.sqlite.store import SqliteStore
from tests.engine.sending.samples import NOW, sample
from tests.system.server_process import serving, write_project

WEEK = 604_800_000
LATER = 32_503_680_000_000  # in the year 3000, so that no server sends it or deletes its record

Run = Callable[..., Result]


def headrace(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["deliveries", *[str(word) for word in words]])


def written(file: Path, *deliveries: StoredDelivery) -> None:
    async def write() -> None:
        store = SqliteStore.open(file)
        await store.commit(Unit(changes=tuple([RecordWrite(DELIVERIES, each, 0) for each in deliveries])))
        await store.close()

    asyncio.run(write())


DEAD = DeliveryAttempt(NOW, 422, "the target answered 422: no such field", 12)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose store has a few deliveries, to a target that it does not have: none is sent."""
    root = write_project(tmp_path)
    written(
        root / "headrace.db",
        sample("d1", due=LATER, profile="ann"),
        sample(
            "d2", state="dead", due=LATER, ended=NOW, attempts=1, last=DEAD, at=NOW + 1, profile="ann", ordered=True
        ),
        sample("d3", state="sent", due=LATER, ended=NOW, profile="ann", after=("d2",), ordered=True, at=NOW + 2),
        sample("d4", state="dead", due=LATER, ended=NOW, flow="welcome", target="smtp", queue=queue_of("smtp")),
    )
    return root


@pytest.fixture(params=["store", "server"])
def run(request: pytest.FixtureRequest, project: Path):
    """Runs the command on the store of the project, or through its server."""
    if request.param == "store":
        yield lambda *words: headrace(*words, "--project", project)
        return
    with serving(project, project / "headrace.db") as served:
        yield lambda *words: headrace(*words, "--project", project, "--url", served.address)


def test_they_are_listed_with_the_reason_of_the_last_failure(run: Run) -> None:
    listed = run("list")
    assert listed.exit_code == 0, listed.output
    rows = listed.stdout.splitlines()
    assert len(rows) == 5
    assert "the target answered 422: no such field" in next(row for row in rows if row.endswith("d2"))
    some = [
        json.loads(line) for line in run("list", "--state", "dead", "--flow", "welcome", "--json").stdout.splitlines()
    ]
    assert [(each["id"], each["state"]) for each in some] == [("d4", "dead")]
    assert "message" not in some[0]
    assert "No deliveries." in run("list", "--target", "none").output


def test_one_is_shown_with_its_message(run: Run) -> None:
    shown = run("show", "d2")
    assert shown.exit_code == 0, shown.output
    for text in ("state     dead", "422 the target answered 422: no such field (12 ms)", '"id": "d2"', "profile   ann"):
        assert text in shown.stdout
    assert json.loads(run("show", "d1", "--json").stdout)["message"]["body"] == {"id": "d1"}
    missing = run("show", "d9")
    assert (missing.exit_code, "There is no delivery d9." in missing.output) == (1, True)


def test_a_dead_one_is_sent_again(run: Run) -> None:
    done = run("retry", "d2", "d1")
    assert done.exit_code == 0, done.output
    assert "1 delivery sent again from now on." in done.stdout
    assert "d2: 1 later delivery of its profile has been sent already" in done.stdout
    assert "d1 was skipped: it is waiting, not dead" in done.stdout
    assert json.loads(run("show", "d2", "--json").stdout)["rounds"] == 1


def test_all_of_a_target_are_sent_again_after_a_question(run: Run) -> None:
    asked = run("retry", "--target", "crm")
    assert asked.exit_code == 1
    assert "Send 1 dead deliveries to crm again? Say --yes if so." in asked.output
    done = run("retry", "--target", "crm", "--yes", "--json")
    assert json.loads(done.stdout)["changed"] == ["d2"]


def test_waiting_ones_are_dropped_and_the_command_says_that_one_may_come_through(run: Run) -> None:
    done = run("drop", "d1")
    assert (done.exit_code, done.stdout) == (0, "1 delivery dropped.\nWhat is being sent right now may still arrive.\n")
    again = run("drop", "d1")
    assert (again.exit_code, "it is dropped, not waiting" in again.stdout) == (1, True)


def test_a_served_file_is_left_to_its_server(project: Path) -> None:
    with serving(project, project / "headrace.db"):
        refused = headrace("drop", "d1", "--project", project)
        assert refused.exit_code == 2
        assert "let its server do it, with --url" in refused.output
        assert headrace("list", "--project", project).exit_code == 0


@pytest.mark.parametrize("words", [("retry",), ("drop",), ("retry", "d1", "--target", "crm")])
def test_it_must_be_clear_which_ones_are_meant(project: Path, words: tuple[str, ...]) -> None:
    refused = headrace(*words, "--project", project)
    assert refused.exit_code == 2
    assert "name deliveries by their ids" in refused.output


def test_ids_are_not_cut_in_a_narrow_terminal(tmp_path: Path) -> None:
    root, id = write_project(tmp_path), "9446c4d24826c584dec8e8d8cfcf3018"
    flow = "orders-of-the-shop-in-the-old-town"
    written(root / "headrace.db", sample(id, state="dead", due=LATER, ended=NOW, attempts=1, last=DEAD, flow=flow))
    listed = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["deliveries", "list", "--project", str(root)])
    assert id in listed.stdout


def test_there_is_no_question_about_none(run: Run) -> None:
    asked = run("drop", "--target", "no-such-target")
    assert asked.exit_code == 1
    assert asked.output.strip() == "No waiting deliveries to no-such-target."

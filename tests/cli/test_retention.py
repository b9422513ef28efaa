"""`headrace retention` and `headrace migrate`: what they do to a store, and what they say."""

import asyncio
import re
from pathlib import Path
from time import time

import pytest
from msgspec import structs
from typer.testing import CliRunner, Result

from cli.main import app
from engine.ports.records import Counts, Unit
from storage.sqlite.lock import lock_file
from storage.sqlite.store import SqliteStore
from tests.storage.build import event, rejected, run

DAY = 86_400_000
OLD, NEW = 100, 1  # days


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "headrace.yaml").write_text("retention: {events: 30d, runs: 90d}\n")
    return tmp_path


@pytest.fixture
def file(project: Path) -> Path:
    """A store with two events, runs and rejected events, one old and one new of each."""
    path = project / "headrace.db"

    async def fill() -> None:
        store = SqliteStore.open(path)
        for age in (OLD, NEW):
            at = int(time() * 1000) - age * DAY
            await store.commit(
                Unit(
                    events=(structs.replace(event(f"e-{age}"), received=at),),
                    runs=(structs.replace(run(f"r-{age}"), at=at),),
                    rejected=(structs.replace(rejected(f"x-{age}"), at=at),),
                )
            )
        await store.close()

    asyncio.run(fill())
    return path


def headrace(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words])


def counts(path: Path) -> Counts:
    async def look() -> Counts:
        store = SqliteStore.open(path)
        try:
            return await store.counts()
        finally:
            await store.close()

    return asyncio.run(look())


def test_retention_drops_what_is_too_old_and_says_how_much(project: Path, file: Path) -> None:
    done = headrace("retention", project)
    assert done.exit_code == 0, done.output
    assert re.search(r"events +1 dropped: older than 30d, from before \d{4}-\d\d-\d\d \d\d:\d\d UTC", done.output)
    assert re.search(r"runs +1 dropped: older than 90d", done.output)
    assert re.search(r"rejected +kept for ever", done.output)
    left = counts(file)
    assert (left["events"], left["runs"], left["rejected"]) == (1, 1, 2)
    assert re.search(r"events +0 dropped", headrace("retention", project).output)


def test_a_dry_run_drops_nothing_and_may_look_while_the_store_is_served(project: Path, file: Path) -> None:
    before = counts(file)
    with lock_file(file):
        told = headrace("retention", project, "--dry-run")
    assert told.exit_code == 0, told.output
    assert re.search(r"events +1 would be dropped", told.output)
    assert "without --dry-run" in told.output
    assert counts(file) == before


def test_a_store_that_is_served_is_left_to_its_server(project: Path, file: Path) -> None:
    before = counts(file)
    with lock_file(file):
        refused = headrace("retention", project)
    assert refused.exit_code == 2
    assert "it drops by itself, once a day" in refused.output
    assert counts(file) == before


def test_without_a_retention_everything_is_kept_and_the_way_is_shown(project: Path, file: Path) -> None:
    (project / "headrace.yaml").write_text("name: shop\n")
    before = counts(file)
    told = headrace("retention", project)
    assert told.exit_code == 0
    assert "kept for ever" in told.output
    assert "retention: {events: 400d" in told.output
    assert counts(file) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(("--store", "sqlite:other.db"), "There is no store at", id="no such file"),
        pytest.param(("--store", "memory:"), "holds nothing", id="memory"),
        pytest.param(("--store", "mongo:x"), "names no known store", id="unknown kind"),
        pytest.param(("--store", "sqlite:headrace.yaml"), "cannot be used as a store", id="no store"),
    ],
)
def test_a_store_that_is_none_is_wrong_usage(project: Path, words: tuple[str, ...], told: str) -> None:
    refused = headrace("retention", project, *words)
    assert refused.exit_code == 2
    assert told in refused.output


@pytest.mark.parametrize("command", ["retention", "migrate"])
def test_settings_with_errors_stop_a_command_that_would_work_on_the_wrong_store(project: Path, command: str) -> None:
    (project / "headrace.yaml").write_text("retention: {events: a year}\n")
    refused = headrace(command, project)
    assert refused.exit_code == 2
    assert "error[H119]" in refused.output
    assert not (project / "headrace.db").exists()


def test_migrating_makes_the_store_once(project: Path) -> None:
    first, second = headrace("migrate", project), headrace("migrate", project)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    assert "made " in first.output
    assert "nothing to do" in second.output


def test_a_store_that_is_served_is_not_migrated(project: Path, file: Path) -> None:
    with lock_file(file):
        refused = headrace("migrate", project)
    assert refused.exit_code == 2
    assert "is being served by process" in refused.output


def test_a_password_in_a_stores_address_is_not_shown(project: Path) -> None:
    refused = headrace("migrate", project, "--store", "mongo:http://me:secret@host:1")
    assert refused.exit_code == 2
    assert "secret" not in refused.output


@pytest.mark.parametrize("command", ["retention", "migrate", "serve"])
def test_its_help_teaches(command: str) -> None:
    told = headrace(command, "--help")
    assert told.exit_code == 0
    assert "elasticsearch:http://HOST:9200" in told.output

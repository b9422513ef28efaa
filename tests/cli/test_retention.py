"""`headrace retention` and `headrace migrate`: their effect on a store, and their output."""

import asyncio
import re
import sqlite3
from contextlib import closing
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
from tests.storage.upgrade.fixture import kept

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
    async def read() -> Counts:
        store = SqliteStore.open(path)
        try:
            return await store.counts()
        finally:
            await store.close()

    return asyncio.run(read())


def test_retention_drops_old_records_and_prints_how_many(project: Path, file: Path) -> None:
    done = headrace("retention", project)
    assert done.exit_code == 0, done.output
    assert re.search(r"events +1 dropped: older than 30d, from before \d{4}-\d\d-\d\d \d\d:\d\d UTC", done.output)
    assert re.search(r"runs +1 dropped: older than 90d", done.output)
    assert re.search(r"rejected +kept for ever", done.output)
    left = counts(file)
    assert (left["events"], left["runs"], left["rejected"]) == (1, 1, 2)
    assert re.search(r"events +0 dropped", headrace("retention", project).output)


def test_a_dry_run_drops_nothing_and_works_while_the_store_is_served(project: Path, file: Path) -> None:
    before = counts(file)
    with lock_file(file):
        result = headrace("retention", project, "--dry-run")
    assert result.exit_code == 0, result.output
    assert re.search(r"events +1 would be dropped", result.output)
    assert "without --dry-run" in result.output
    assert counts(file) == before


def test_a_store_that_is_served_is_left_to_its_server(project: Path, file: Path) -> None:
    before = counts(file)
    with lock_file(file):
        refused = headrace("retention", project)
    assert refused.exit_code == 2
    assert "it drops by itself, once a day" in refused.output
    assert counts(file) == before


def test_without_a_retention_everything_is_kept_and_an_example_is_printed(project: Path, file: Path) -> None:
    (project / "headrace.yaml").write_text("name: shop\n")
    before = counts(file)
    result = headrace("retention", project)
    assert result.exit_code == 0
    assert "kept for ever" in result.output
    assert "retention: {events: 400d" in result.output
    assert counts(file) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("--store", "sqlite:other.db"), "There is no store at", id="no such file"),
        pytest.param(("--store", "memory:"), "holds nothing", id="memory"),
        pytest.param(("--store", "mongo:x"), "names no known store", id="unknown kind"),
        pytest.param(("--store", "sqlite:headrace.yaml"), "cannot be used as a store", id="no store"),
    ],
)
def test_an_unusable_store_has_exit_code_2(project: Path, words: tuple[str, ...], message: str) -> None:
    refused = headrace("retention", project, *words)
    assert refused.exit_code == 2
    assert message in refused.output


@pytest.mark.parametrize("command", ["retention", "migrate"])
def test_settings_with_errors_stop_a_command_before_it_opens_a_store(project: Path, command: str) -> None:
    (project / "headrace.yaml").write_text("retention: {events: a year}\n")
    refused = headrace(command, project)
    assert refused.exit_code == 2
    assert "error[H119]" in refused.output
    assert not (project / "headrace.db").exists()


def test_migrate_creates_the_store_once(project: Path) -> None:
    first, second = headrace("migrate", project), headrace("migrate", project)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    assert "made " in first.output
    assert "nothing to do" in second.output


def test_a_store_that_is_served_is_not_migrated(project: Path, file: Path) -> None:
    with lock_file(file):
        refused = headrace("migrate", project)
    assert refused.exit_code == 2
    assert "is being served by process" in refused.output


def test_a_dry_run_tells_what_a_migration_would_change_while_the_store_is_served(project: Path) -> None:
    file = project / "headrace.db"
    new = headrace("migrate", project, "--dry-run")
    assert (new.exit_code, file.exists()) == (0, False)
    assert "would make" in new.output
    content = kept("linked.sqlite.db")
    file.write_bytes(content)
    with lock_file(file):
        preview = headrace("migrate", project, "--dry-run")
    assert (preview.exit_code, file.read_bytes() == content) == (0, True)
    assert re.search(r"would upgrade .*\n  keys that would be renamed: 304\n", preview.output)
    assert "was not changed" in preview.output
    assert "keys that were renamed: 304" in headrace("migrate", project).output
    assert "nothing to do" in headrace("migrate", project, "--dry-run").output


def test_a_dry_run_of_a_migration_refuses_the_database_of_another_program(project: Path) -> None:
    with closing(sqlite3.connect(project / "headrace.db")) as other:
        other.execute("CREATE TABLE others (id)")
    refused = headrace("migrate", project, "--dry-run")
    assert refused.exit_code == 2
    assert "it is the database of another program" in refused.output


def test_a_password_in_the_address_of_a_store_is_not_printed(project: Path) -> None:
    refused = headrace("migrate", project, "--store", "mongo:http://me:secret@host:1")
    assert refused.exit_code == 2
    assert "secret" not in refused.output


@pytest.mark.parametrize("command", ["retention", "migrate", "serve"])
def test_the_help_names_the_stores(command: str) -> None:
    result = headrace(command, "--help")
    assert result.exit_code == 0
    assert "elasticsearch:http://HOST:9200" in result.output

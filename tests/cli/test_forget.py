"""`headrace forget` and `headrace profile export`, on the store and by its server."""

import json
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from storage.sqlite.lock import lock_file
from tests.cli.test_profile import LOGIN, claiming, ids
from tests.system.server_process import serving, write_project

__all__ = ["claiming", "ids"]


def headrace(*words: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(word) for word in words])


def on(project: Path) -> tuple[str, Path]:
    return "--project", project


def test_a_profile_is_erased_from_the_store(tmp_path: Path, ids: list[str]) -> None:
    done = headrace("forget", ids[1], "--yes", *on(tmp_path))
    assert done.exit_code == 0, done.output
    first, *_, last = done.stdout.splitlines()
    assert "erasing: nothing yet" in first
    assert "complete: profiles 2, sessions 2, events 3" in last
    assert not [id for id in ids if id in done.stdout]
    assert headrace("profile", "show", ids[0], *on(tmp_path)).exit_code == 1
    again = headrace("forget", ids[0], "--yes", *on(tmp_path))
    assert (again.exit_code, "No profile has the id" in again.output) == (1, True)
    listed = headrace("forget", "--unfinished", "--json", *on(tmp_path))
    assert [forgetting["status"] for forgetting in json.loads(listed.stdout)] == ["complete"]


def test_the_profiles_that_claim_its_keys_are_named_and_stay(
    tmp_path: Path, ids: list[str], claiming: list[str]
) -> None:
    done = headrace("forget", ids[1], "--yes", *on(tmp_path))
    assert f"  profile {claiming[0]} claims its pii.email, and stays: --claims erases it, too" in done.stdout
    joint = headrace("forget", claiming[1], "--yes", "--json", *on(tmp_path))
    assert json.loads(joint.stdout)["by_claims"] == [claiming[0]]
    assert json.loads(joint.stdout)["status"] == "complete"


def test_the_profiles_that_claim_its_keys_are_erased_if_that_is_asked_for(
    tmp_path: Path, ids: list[str], claiming: list[str]
) -> None:
    done = headrace("forget", ids[1], "--yes", "--claims", *on(tmp_path))
    assert f"  profile {claiming[0]} claims its pii.email, and is erased, too" in done.stdout
    assert [headrace("profile", "show", id, *on(tmp_path)).exit_code for id in (*ids, *claiming)] == [1] * 4


def test_without_confirmation_nothing_is_erased(tmp_path: Path, ids: list[str]) -> None:
    asked = headrace("forget", ids[0], *on(tmp_path))
    assert (asked.exit_code, "Say --yes" in asked.output) == (1, True)
    assert headrace("profile", "show", ids[0], *on(tmp_path)).exit_code == 0


@pytest.mark.parametrize("words", [(), ("x", "--unfinished")], ids=["neither", "both"])
def test_either_a_profile_or_unfinished_is_required(words: tuple[str, ...]) -> None:
    assert headrace("forget", *words).exit_code == 2


def test_a_store_that_is_served_is_left_to_its_server(tmp_path: Path, ids: list[str]) -> None:
    with lock_file(tmp_path / "headrace.db"):
        result = headrace("forget", ids[0], "--yes", *on(tmp_path))
    assert (result.exit_code, "--url" in result.output) == (2, True)


def test_a_server_erases_and_exports(tmp_path: Path, ids: list[str], claiming: list[str]) -> None:
    archive = tmp_path / "ann.zip"
    project = write_project(tmp_path, login=LOGIN)
    with serving(project, tmp_path / "headrace.db", "tests.system.fast_erasure_server") as served:
        at = ("--url", served.address, *on(project))
        exported = headrace("profile", "export", ids[0], "-o", archive, *at)
        assert (exported.exit_code, "profile 1, sessions 2, events 3," in exported.stdout) == (0, True)
        missing = headrace("profile", "export", "nope", "-o", tmp_path / "no.zip", *at)
        assert (missing.exit_code, (tmp_path / "no.zip").exists()) == (2, False)
        done = headrace("forget", ids[0], "--yes", "--claims", "--json", *at)
        assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "complete")
        assert [claim["profile"] for claim in json.loads(done.stdout)["claims_erased"]] == [claiming[0]]
    with zipfile.ZipFile(archive) as opened:
        assert json.loads(opened.read("profile.json"))["ids"] == ids


def test_an_archive_is_written_atomically_and_never_over_a_file(tmp_path: Path, ids: list[str]) -> None:
    archive = tmp_path / "ann.zip"
    done = headrace("profile", "export", ids[0], "--output", archive, *on(tmp_path))
    assert done.exit_code == 0, done.output
    counts = "profile 1, sessions 2, events 3, runs 3, rejected 0, deliveries 0, waits 0, arrivals 0"
    assert done.stdout == f"Written to {archive}: {counts}.\n"
    assert archive.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(archive) as opened:
        assert len(opened.read("events.jsonl").splitlines()) == 3
    again = headrace("profile", "export", ids[0], "--output", archive, *on(tmp_path))
    assert (again.exit_code, "already exists" in again.output) == (2, True)
    unknown = headrace("profile", "export", "nope", "--output", tmp_path / "no.zip", *on(tmp_path))
    assert (unknown.exit_code, sorted(tmp_path.glob("*.zip")), sorted(tmp_path.glob(".*.zip*"))) == (1, [archive], [])


class Pages(BaseHTTPRequestHandler):
    """Answers every request with an HTML page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<p>Welcome!</p>")

    def log_message(self, *args: object) -> None:
        """Print no log."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of a server that is not Headrace."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_a_response_that_is_not_an_archive_is_not_kept(tmp_path: Path, elsewhere: str) -> None:
    done = headrace("profile", "export", "ann", "--output", tmp_path / "ann.zip", "--url", elsewhere)
    assert (done.exit_code, "did not answer with an archive" in done.output) == (2, True)
    assert list(tmp_path.iterdir()) == []

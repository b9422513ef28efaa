"""The admin key of real servers: they make one, and commands in the project send it by themselves."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from typer.testing import CliRunner

from cli.admin_key import FILE
from cli.main import app
from tests.system.server_process import ServerProcess, serving_on, write_project
from tests.system.test_serve_workers import shared


def status(url: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """The status and body of the answer to a GET."""
    try:
        with urlopen(Request(url, headers=headers or {}), timeout=30) as response:
            return response.status, response.read().decode()
    except HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_servers_that_start_at_the_same_time_share_one_key(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:

        def begin(_: int) -> ServerProcess:
            return stack.enter_context(serving_on(project, "memory:"))

        servers = list(pool.map(begin, range(3)))
        key = (project / FILE).read_text().strip()
        for served in servers:
            assert status(f"{served.address}/counts", served.admin)[0] == 200
            assert key not in served.output
    assert stat.S_IMODE((project / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((project / FILE).parent.stat().st_mode) == 0o700
    assert [path.name for path in (project / FILE).parent.iterdir() if path.name != ".gitignore"] == [FILE.name]


def test_the_workers_of_a_server_have_its_key(tmp_path: Path) -> None:
    with shared(tmp_path) as served:
        served.workers(2)
        assert {status(f"{served.address}/counts", served.admin)[0] for _ in range(16)} == {200}


def test_a_stranger_is_refused_and_a_command_in_the_project_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write_project(tmp_path / "project")
    search = ["search", "events", "--json", "--url"]
    with serving_on(project, "memory:") as served:
        code, body = status(f"{served.address}/counts", {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"})
        detail = json.loads(body)["detail"]
        assert (code, "Authorization: Bearer KEY" in detail, str(tmp_path) in body) == (401, True, False)
        monkeypatch.chdir(tmp_path)
        stranger = CliRunner().invoke(app, [*search, served.address])
        assert (stranger.exit_code, "--project" in stranger.stderr) == (2, True)
        monkeypatch.chdir(project)
        assert CliRunner().invoke(app, [*search, served.address]).exit_code == 0

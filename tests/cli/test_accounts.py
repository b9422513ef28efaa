"""`headrace user` and `headrace access key`: of a store without a server, and of a running server."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from storage.sqlite.store import SqliteStore
from tests.system.server_process import ServerProcess, serving, write_project

PASSWORD = "four words for a test"


def headrace(project: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*words, "--project", str(project)])


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    store = SqliteStore.open(tmp_path / "headrace.db")
    asyncio.run(store.close())
    return write_project(tmp_path)


def test_users_of_a_store(project: Path) -> None:
    assert (
        "/console/login?setup="
        in document(headrace(project, "user", "add", "Ann", "--role", "admin", "--json"))["link"]
    )
    assert "http://127.0.0.1:8686/console/login?setup=" in headrace(project, "user", "add", "bob").stdout
    again = headrace(project, "user", "add", "bob")
    assert (again.exit_code, "there is a user `bob` already" in again.output.lower()) == (1, True)
    assert headrace(project, "user", "role", "bob", "operator").exit_code == 0
    assert "/console/login?setup=" in headrace(project, "user", "reset", "bob").stdout
    users = document(headrace(project, "user", "list", "--json"))
    assert [(user["name"], user["role"], user["has_password"]) for user in users] == [
        ("ann", "admin", False),
        ("bob", "operator", False),
    ]
    assert headrace(project, "user", "remove", "bob").stdout == "bob is removed.\n"
    assert "link sent" in headrace(project, "user", "list").stdout
    assert headrace(project, "user", "add", "Not A Name").exit_code == 1
    assert headrace(project, "user", "add", "x", "--role", "king").exit_code == 2
    log = [json.loads(line) for line in headrace(project, "search", "audit", "--json").stdout.splitlines()]
    assert {entry["via"] for entry in log} == {"command"}
    assert [entry["action"] for entry in log if entry["outcome"] == "failed"] == ["add a user"] * 2


def test_access_keys_of_a_store(project: Path) -> None:
    made = headrace(project, "access", "key", "add", "ci", "--role", "operator", "--personal")
    assert made.exit_code == 0
    assert made.stdout.startswith("hrk_")
    (key,) = document(headrace(project, "access", "key", "list", "--json"))
    assert (key["name"], key["role"], key["personal"], key["used"]) == ("ci", "operator", True, 0)
    assert headrace(project, "access", "key", "add", "see", "--personal").exit_code == 1
    assert headrace(project, "access", "key", "remove", "ci").stdout == "ci is revoked.\n"
    assert headrace(project, "access", "key", "remove", "ci").exit_code == 1


class Stay(HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *args: Any, **named: Any) -> None:
        """Return no request."""


def post(server: ServerProcess, path: str, form: dict[str, str]) -> tuple[int, Any]:
    """Return the status and the headers of the answer to a form of the console."""
    headers = {"origin": server.address, "content-type": "application/x-www-form-urlencoded"}
    request = Request(f"{server.address}{path}", urlencode(form).encode(), headers, method="POST")
    try:
        with build_opener(Stay).open(request, timeout=30) as answer:
            return answer.status, answer.headers
    except HTTPError as refused:
        return refused.code, refused.headers


def test_a_new_server_prints_a_link_to_its_first_administrator_once(project: Path) -> None:
    database = project / "headrace.db"
    with serving(project, database) as server:
        (secret,) = server.wait_for_output(r"first user http://127\.0\.0\.1:\d+/console/login\?setup=([\w-]+)")
        form = {"setup": secret, "name": "ann", "password": PASSWORD, "again": PASSWORD}
        status, headers = post(server, "/console/login/setup", form)
        assert (status, headers["location"]) == (303, "/console")
        assert post(server, "/console/login/setup", form)[0] == 403
        at_server = ("--url", server.address)
        users = document(headrace(project, "user", "list", "--json", *at_server))
        assert [(user["name"], user["role"]) for user in users] == [("ann", "admin")]
        assert server.address in headrace(project, "user", "add", "bob", *at_server).stdout
        assert headrace(project, "user", "add", "bob", *at_server).exit_code == 2
        key = headrace(project, "access", "key", "add", "ci", *at_server).stdout.strip()
        counted = headrace(project, "search", "events", "--url", server.address, "--key", key)
        assert counted.exit_code == 0
        refused = headrace(project, "user", "list", "--url", server.address, "--key", key)
        assert (refused.exit_code, "takes the role `admin`" in refused.output) == (2, True)
        assert server.stop() == 0
        assert PASSWORD not in server.output
    with serving(project, database) as again:
        again.wait_for_output(r"console   http")
        assert "first user" not in again.output

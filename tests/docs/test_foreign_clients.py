"""The pages about the clients of other systems: their files work in an empty project, and so do their requests."""

import os
import re
import shlex
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from msgspec import Struct
from typer.testing import CliRunner

from api.app import create_app
from api.tracking.discovery import endpoints
from api.tracking.keys import KEY
from api.tracking.webhooks import ADDRESSES
from cli.main import app
from effects.scripted import ScriptedPerformer
from flows.codes import CODES
from flows.diagnostic import render
from flows.project import load_project
from nodes import builtin
from storage.memory import MemoryStore
from tests.docs.page import ROOT, SERVED, Command, File, steps

ADMIN = {"Authorization": "Bearer the-key-of-the-tests"}
MADE_BY_INIT = 2  # cases of flow tests
ABSENT = {"/event/bulk/remote", "/event/hook/activate"}  # addresses of the other systems that Headrace does not have


class Page(Struct, frozen=True, kw_only=True):
    """A page: the warnings about its files, its flow tests, and the stored events and the user of its requests."""

    name: str
    warnings: tuple[str, ...] = ()
    tests: int = 0
    events: tuple[str, ...]
    user: str | None = None

    @property
    def text(self) -> str:
        return (ROOT / "docs" / f"{self.name}.md").read_text()


PAGES = [
    Page(name="segment", warnings=("H419",), tests=1, events=("Order Completed", "identify", "page"), user="C-1"),
    Page(name="posthog", warnings=("H419",), events=("identify", "order completed"), user="C-1"),
    Page(name="rakam", tests=1, events=("pageview", "user-set")),
    Page(name="traintracks", events=("store_purchase",)),
    Page(
        name="webhooks",
        warnings=(),
        events=("issue-opened", "mail-click", "mail-open", "mail_opened", "webhook.erp"),
    ),
]


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Page:
    found: Page = request.param
    return found


@pytest.fixture
def project(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with the files of a page, and the environment that the page names."""
    root = tmp_path / "project"
    assert CliRunner().invoke(app, ["init", "--empty", str(root)]).exit_code == 0
    named = {step.text: step.path for step in steps(page.text) if isinstance(step, File)}
    for text in re.findall(r"^```yaml\n(.*?)^```$", page.text, re.DOTALL | re.MULTILINE):
        written(root / (named.get(text) or path_of(text)), text)
    for path, text in re.findall(r"^\*\*(\S+\.js)\*\*\n\n```js\n(.*?)^```$", page.text, re.DOTALL | re.MULTILINE):
        written(root / path, text)
    for name, value in re.findall(r"`([A-Z_]+)=(\S+) headrace serve", page.text):
        monkeypatch.setenv(name, value)
    return root


def written(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def path_of(text: str) -> str:
    """Return the path of a file that a page shows without one."""
    kind, _, name = text.partition("\n")[0].partition(": ")
    if kind not in ("flow", "source", "webhook"):
        return "headrace.yaml"
    return f"{kind}s/{name}.test.yaml" if "\ncases:" in text else f"{kind}s/{name}.yaml"


async def curl(line: str, client: AsyncTestClient[Litestar]) -> str:
    """Send the request of a `curl` command, and return what the command would print."""
    words = shlex.split(line)
    assert words[:2] == ["curl", "-s"]
    headers: dict[str, str] = {}
    body = ""
    for option, value in zip(words[3::2], words[4::2], strict=True):
        match option:
            case "-H":
                name, _, content = value.partition(": ")
                headers[name] = content
            case "-u":
                headers["Authorization"] = f"Basic {b64encode(value.encode()).decode()}"
            case _:
                assert option == "-d"
                body = value
    return (await client.post(words[2].removeprefix(SERVED), content=body, headers=headers)).text


def test_the_files_of_a_page_have_no_errors(project: Path, page: Page) -> None:
    loaded = load_project(project, builtin(), os.environ)
    found = tuple(one.code for one in loaded.diagnostics)
    assert found == page.warnings, render(loaded.diagnostics, loaded.sources, colour=False)


def test_the_flow_tests_of_a_page_pass(project: Path, page: Page) -> None:
    played = CliRunner().invoke(app, ["test", str(project)])
    assert played.exit_code == 0, played.output
    assert f"✓ {MADE_BY_INIT + page.tests} passed" in played.output


async def test_the_requests_of_a_page_are_answered_and_stored_as_it_shows(project: Path, page: Page) -> None:
    loaded = load_project(project, builtin(), os.environ)
    server = create_app(
        loaded.project,
        MemoryStore(),
        performer=ScriptedPerformer(),
        admin_key=ADMIN["Authorization"].split()[1],
    )
    commands = [step for step in steps(page.text) if isinstance(step, Command)]
    assert commands
    async with AsyncTestClient(server, base_url=SERVED) as client:
        for command in commands:
            assert await curl(command.line, client) == command.output.rstrip("\n")
        query = {"q": "origin:client"}
        found: list[Any] = (await client.get("/search/events", params=query, headers=ADMIN)).json()["items"]
        assert tuple(sorted(one["type"] for one in found)) == page.events
        if page.user is not None:
            profiles = [(await client.get(f"/profiles/{one['profile']}", headers=ADMIN)).json() for one in found]
            assert {(one["id"], one["traits"]["user_id"]) for one in profiles} == {(profiles[0]["id"], page.user)}


def test_every_address_and_code_on_a_page_exists(page: Page) -> None:
    known = {address.rstrip("/") for endpoint in endpoints() for address in endpoint.addresses}
    known |= {f"{address}/NAME" for address in ADDRESSES}
    roots = {address.split("/")[1] for address in known}
    named = {re.sub(r"\b(WRITE|PROJECT)_KEY\b", KEY, path) for path in re.findall(r"`(/\w[\w/]*)`", page.text)}
    addresses = {path.rstrip("/") for path in named if path.split("/")[1] in roots} - ABSENT
    assert addresses
    assert addresses <= known
    assert set(re.findall(r"\bH\d{3}\b", page.text)) <= set(CODES)

"""The pages for users of other systems' SDKs: their files load, and their first request is answered as they show."""

import json
import re
import shlex
from base64 import b64encode
from pathlib import Path

import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import AsyncTestClient
from typer.testing import CliRunner

from api.app import create_app
from api.tracking.discovery import takes_events
from cli.main import app
from effects.scripted import ScriptedPerformer
from flows.codes import CODES
from flows.diagnostic import render
from flows.project import LoadedProject, load_project
from nodes import builtin
from storage.memory import MemoryStore
from tests.docs.page import ROOT, SERVED
from tests.docs.test_examples import placed

ADMIN_KEY = "the-key-of-the-tests"
PAGES = ["segment", "posthog"]


def text_of(page: str) -> str:
    return (ROOT / "docs" / f"{page}.md").read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)


def written(page: str, root: Path) -> LoadedProject:
    """Return the project of all files that a page shows."""
    for block in blocks(page, "yaml"):
        name, text = placed(block)
        if block.startswith("source: "):
            name = f"sources/{block.split()[1]}.yaml"
        if block.startswith("flow: "):
            suffix = ".test.yaml" if "\ncases:" in block else ".yaml"
            name = f"flows/{block.split()[1]}{suffix}"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return load_project(root, builtin(), {})


async def posted(line: str, client: AsyncTestClient[Litestar]) -> Response:
    """Send the request of a `curl` command."""
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
    return await client.post(words[2].removeprefix(SERVED), content=body, headers=headers)


@pytest.mark.parametrize("page", PAGES)
async def test_the_first_request_of_a_page_has_the_answer_and_the_profile_that_it_shows(
    page: str, tmp_path: Path
) -> None:
    loaded = written(page, tmp_path)
    warnings = [one.code for one in loaded.diagnostics]
    assert warnings == ["H419"], render(loaded.diagnostics, loaded.sources, colour=False)
    server = create_app(loaded.project, MemoryStore(), performer=ScriptedPerformer(), admin_key=ADMIN_KEY)
    (command,), (answer,) = blocks(page, "sh"), blocks(page, "json")
    async with AsyncTestClient(server, base_url=SERVED) as client:
        response = await posted(command, client)
        assert (response.status_code, response.text) == (200, answer.strip())
        client.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
        query = {"q": "NOT type:session-opened"}
        found = (await client.get("/search/events", params=query)).json()["items"]
        sent = json.loads(shlex.split(command)[-1])["batch"]
        assert sorted(one["id"] for one in found) == [one.get("messageId") or one["uuid"] for one in sent]
        profiles = [(await client.get(f"/profiles/{one['profile']}")).json() for one in found]
        assert {(one["id"], one["traits"]["user_id"]) for one in profiles} == {(profiles[0]["id"], "C-1")}


def test_the_flow_tests_of_a_page_pass(tmp_path: Path) -> None:
    written("segment", tmp_path)
    played = CliRunner().invoke(app, ["test", str(tmp_path)])
    assert (played.exit_code, "✓ 1 passed in 1 file" in played.output) == (0, True), played.output


@pytest.mark.parametrize("page", PAGES)
def test_every_address_and_code_on_a_page_exists(page: str) -> None:
    text = text_of(page)
    addresses = re.findall(r"`(/(?:v1|beacon|batch|e|i|capture)\b[\w/]*)`", text)
    taking = [address for address in addresses if not address.startswith("/v1/projects/")]
    assert len(taking) >= 4
    assert not [address for address in taking if not takes_events(address)]
    assert set(re.findall(r"\bH\d{3}\b", text)) <= set(CODES)

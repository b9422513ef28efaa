"""The clients that the page about the API shows are generated, checked and run against a server."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.clients.described import run_node, run_python
from tests.clients.installation import HERE, PYTHON, ROOT
from tests.servers.left_out import or_skipped
from tests.system.server_process import ServerProcess, serving_on

PAGE = (ROOT / "docs" / "api.md").read_text()
STARTER = ROOT / "flows" / "starter"


LEFT_OUT = re.compile(r"application/(x-ndjson|x-rawjson|avro)|text/(csv|plain)")


def block(language: str) -> str:
    """The only block of the page in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


PYTHON_COMMANDS, NODE_COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
PYTHON_OUTPUT, NODE_OUTPUT = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of the shop that `headrace init shop` creates."""
    place = tmp_path_factory.mktemp("described")
    shutil.copytree(STARTER, place / "shop")
    with serving_on(place / "shop", f"sqlite:{place / 'store.db'}") as process:
        yield process


@pytest.fixture
def folder(tmp_path: Path, server: ServerProcess) -> Path:
    """A folder with the document and the configuration."""
    (tmp_path / "openapi.json").write_bytes(fetched(f"{server.address}/schema/openapi.json"))
    (tmp_path / "client.yaml").write_text(block("yaml"))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    return tmp_path


def fetched(address: str) -> bytes:
    """The body at an address."""
    with urlopen(address, timeout=30) as answer:
        body: bytes = answer.read()
    return body


def here(program: str, server: ServerProcess) -> str:
    """A program of the page, for this server and its key."""
    key = server.admin["Authorization"].removeprefix("Bearer ")
    return program.replace("http://127.0.0.1:8686", server.address).replace("the admin key", key)


def test_the_client_in_python_does_what_the_page_says(
    folder: Path, server: ServerProcess, request: pytest.FixtureRequest
) -> None:
    (command,) = re.findall(r"^openapi-python-client (.*)$", PYTHON_COMMANDS, re.MULTILINE)
    (folder / "program.py").write_text(here(block("python"), server))
    with or_skipped(request.config, "the Python clients"):
        said = run_python("openapi_python_client", *command.split(), folder=folder)
        assert "Unable to process schema" not in said, said
        warned = re.findall(r"^(Cannot parse .*|Unsupported content type .*)$", said, re.MULTILINE)
        assert all(re.search(r"application/(x-ndjson|x-rawjson|avro)|text/csv|text/plain", each) for each in warned), (
            said
        )
        assert run_python("program", folder=folder, path=folder / "headrace-client") == PYTHON_OUTPUT


def test_the_client_in_typescript_has_the_right_types_and_does_what_the_page_says(
    folder: Path, server: ServerProcess, request: pytest.FixtureRequest
) -> None:
    types, check = re.findall(r"^npx (?:openapi-typescript|tsc) (.*)$", NODE_COMMANDS, re.MULTILINE)
    (folder / "visit.ts").write_text(here(block("ts"), server))
    with or_skipped(request.config, "Node"):
        run_node("openapi-typescript/bin/cli.js", *types.split(), folder=folder)
        run_node("typescript/bin/tsc", *check.split(), folder=folder)
        assert run_node("visit.js", folder=folder) == NODE_OUTPUT


def test_types_that_do_not_fit_are_found_before_a_request_is_sent(folder: Path, request: pytest.FixtureRequest) -> None:
    wrong = block("ts").replace('{ id: "web-shop" }', '{ name: "web-shop" }')
    (folder / "visit.ts").write_text(wrong)
    types, check = re.findall(r"^npx (?:openapi-typescript|tsc) (.*)$", NODE_COMMANDS, re.MULTILINE)
    with or_skipped(request.config, "Node"):
        run_node("openapi-typescript/bin/cli.js", *types.split(), folder=folder)
        with pytest.raises(AssertionError, match="'name' does not exist in type"):
            run_node("typescript/bin/tsc", *check.split(), folder=folder)


def test_the_page_names_the_versions_that_are_tested() -> None:
    for name, version in re.findall(r"([\w-]+)@([\d.]+)", NODE_COMMANDS):
        assert f'"{name}": "{version}"' in (HERE / "package.json").read_text()
    (pinned,) = re.findall(r"openapi-python-client==[\d.]+", PYTHON_COMMANDS)
    assert pinned in PYTHON.read_text()

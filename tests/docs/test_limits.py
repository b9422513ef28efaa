"""The page of limits: it has the words that people search for, and everything that it calls missing is missing.

A test here fails as soon as one of the missing things is built: then its entry has to go.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.docs.page import ROOT
from tests.system.server_process import ServerProcess, serving

PAGE = (ROOT / "docs" / "limits.md").read_text()
ONE_LINE = " ".join(PAGE.split())
ENTRIES = re.findall(r"^- \*\*(.+?)\.\*\*(.*?)(?=^- |^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
SEARCHED = (
    "webhook signature", "schedule", "cron", "delay", "wait", "loop", "for each", "timezone", "Segment SDK", "Rakam",
    "Traintracks", "outgoing webhook with retry", "console", "UI", "metrics", "Prometheus", "replay", "hot reload",
    "dynamic field name", "group by", "OpenAPI", "importer", "funnel", "retention", "Kafka", "multi-tenant",
)  # fmt: skip
MISSING = re.findall(r"\bno `(GET|POST) (/[^`]+)`", ONE_LINE)
THERE = re.findall(r"(?<!no )`(GET) (/[^`]+)`", ONE_LINE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of an empty project."""
    project = tmp_path_factory.mktemp("limits") / "project"
    assert CliRunner().invoke(app, ["init", "--empty", str(project)]).exit_code == 0
    with serving(project, Path("headrace.db")) as served:
        yield served


def status(method: str, path: str, served: ServerProcess) -> int:
    data = b"{}" if method == "POST" else None
    request = Request(served.address + path, method=method, data=data, headers=served.admin)
    try:
        with urlopen(request, timeout=30) as response:
            code: int = response.status
            return code
    except HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("word", SEARCHED)
def test_a_word_that_people_search_for_names_an_entry(word: str) -> None:
    words = [name.lower() for names, _ in ENTRIES for name in re.split(r", | and ", names)]
    assert any(re.search(rf"\b{word.lower()}\b", name) for name in words)


def test_every_entry_has_a_sentence_or_two_and_no_essay() -> None:
    assert len(ENTRIES) == len(re.findall(r"^- \*\*", PAGE, re.MULTILINE)) > 30
    for names, text in ENTRIES:
        assert 40 < len(text) < 520, names


@pytest.mark.parametrize(("method", "path"), MISSING)
def test_an_address_that_is_called_missing_is_missing(method: str, path: str, served: ServerProcess) -> None:
    assert status(method, path, served) == 404


@pytest.mark.parametrize(("method", "path"), THERE)
def test_an_address_that_is_recommended_is_there(method: str, path: str, served: ServerProcess) -> None:
    assert status(method, path, served) == 200


@pytest.mark.parametrize("node", re.findall(r"\bno node type `([^`]+)`", ONE_LINE))
def test_a_node_type_that_is_called_missing_is_missing(node: str) -> None:
    assert CliRunner().invoke(app, ["nodes", node]).exit_code == 2


@pytest.mark.parametrize("command", re.findall(r"\bno command `headrace ([^`]+)`", ONE_LINE))
def test_a_command_that_is_called_missing_is_missing(command: str) -> None:
    ended = CliRunner().invoke(app, [command, "--help"])
    assert (ended.exit_code, "No such command" in ended.output) == (2, True)


@pytest.mark.parametrize(("file", "text", "code"), [
    (
        "flows/grouped.yaml",
        (
            "flow: grouped\ntrigger: {event: view}\n"
            'nodes: {count: {profile.increment: {"traits.{{ event.properties.category }}": 1}}}\n'
        ),
        "H206",
    ),
    ("headrace.yaml", "store: postgres://127.0.0.1\n", "H417"),
])  # fmt: skip
def test_a_file_that_the_page_calls_refused_is_refused_with_its_code(
    file: str, text: str, code: str, tmp_path: Path
) -> None:
    assert CliRunner().invoke(app, ["init", "--empty", str(tmp_path)]).exit_code == 0
    (tmp_path / file).write_text(text)
    checked = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert (checked.exit_code, f"error[{code}]" in checked.output, f"({code})" in PAGE) == (1, True, True)


def test_the_probes_of_the_page_are_all_found() -> None:
    assert len(MISSING) >= 3
    assert len(THERE) >= 4
    assert re.findall(r"\bno node type `", ONE_LINE)
    assert len(re.findall(r"\bno command `headrace", ONE_LINE)) == 1

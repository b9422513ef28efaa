"""The pages about the clients of other systems: their files work in an empty project, and so do their requests."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.docs.page import ROOT, Command, File, curl, steps
from tests.system.server_process import serving

PAGES = ("rakam", "traintracks")


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return (ROOT / "docs" / f"{request.param}.md").read_text()


@pytest.fixture
def project(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project with the files of a page, and the environment that the page names."""
    root = tmp_path / "project"
    assert CliRunner().invoke(app, ["init", "--empty", str(root)]).exit_code == 0
    for step in steps(page):
        if isinstance(step, File):
            (root / step.path).write_text(step.text)
    for name, value in re.findall(r"`([A-Z_]+)=(\S+) headrace serve", page):
        monkeypatch.setenv(name, value)
    return root


def test_the_files_of_a_page_have_neither_errors_nor_warnings(project: Path) -> None:
    checked = CliRunner().invoke(app, ["check", str(project)])
    assert re.fullmatch(r"✓ no errors in \d+ files\n", checked.output), checked.output


def test_the_flow_tests_of_a_page_pass(project: Path) -> None:
    played = CliRunner().invoke(app, ["test", str(project)])
    assert played.exit_code == 0, played.output


def test_the_requests_of_a_page_are_answered_as_it_shows(project: Path, page: str) -> None:
    commands = [step for step in steps(page) if isinstance(step, Command)]
    assert commands
    with serving(project, Path("headrace.db")) as served:
        for command in commands:
            assert curl(command.line, served.address) == command.output.rstrip("\n")
    found = CliRunner().invoke(app, ["search", "events", "--json", "--project", str(project)])
    assert len(re.findall(r'"type":"(pageview|user-set|store_purchase)"', found.output)) == len(commands)

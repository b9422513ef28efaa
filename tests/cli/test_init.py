"""`headrace init --empty`: no errors, tests that pass, and a first event that works as its file says."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.docs.page import curl
from tests.system.server_process import serving

FILES = [".gitignore", "flows/page-views.test.yaml", "flows/page-views.yaml", "headrace.yaml", "sources/website.yaml"]


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


@pytest.fixture
def club(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, made in the current directory."""
    monkeypatch.chdir(tmp_path)
    code, output = run("init", "--empty", "club")
    assert code == 0, output
    return tmp_path / "club"


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_an_empty_project_has_one_flow_with_its_test_and_one_source(club: Path) -> None:
    assert files(club) == FILES


def test_an_empty_project_has_neither_errors_nor_warnings(club: Path) -> None:
    assert run("check", str(club)) == (0, "✓ no errors in 4 files\n")


def test_the_tests_of_an_empty_project_pass(club: Path) -> None:
    code, output = run("test", str(club))
    assert (code, "✓ 2 passed in 1 file" in output) == (0, True), output


def test_the_tests_of_an_empty_project_find_a_changed_flow(club: Path) -> None:
    flow = club / "flows" / "page-views.yaml"
    flow.write_text(flow.read_text().replace("traits.pages: 1", "traits.pages: 2"))
    assert run("test", str(club))[0] == 1


def test_the_command_in_the_source_sends_a_first_event_that_works(club: Path, tmp_path: Path) -> None:
    (line,) = (
        line.removeprefix("# ")
        for line in (club / "sources" / "website.yaml").read_text().splitlines()
        if line.startswith("# curl ")
    )
    with serving(club, tmp_path / "store.db") as served:
        answers = [json.loads(curl(line, served.address)) for _ in range(2)]
    assert [answer["response"] for answer in answers] == [{"pages": 1}, {"pages": 2}]
    assert answers[0]["profile"] == answers[1]["profile"]


def test_init_names_the_next_commands_and_a_file_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for options, file in ((["--empty"], "sources/website.yaml"), ([], "README.md")):
        name = f"project{len(options)}"
        code, output = run("init", *options, name)
        assert code == 0
        for next_step in (f"check {name}", f"test {name}", f"serve {name}", f"{name}/{file}"):
            assert next_step in output
        assert (tmp_path / name / file).is_file()


def test_a_directory_with_files_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    code, output = run("init", "--empty", str(tmp_path))
    assert (code, "is not empty" in output, files(tmp_path)) == (2, True, ["notes.txt"])


def test_the_help_teaches_both_ways_to_begin() -> None:
    code, output = run("init", "--help")
    assert code == 0
    for words in ("headrace init shop", "headrace init --empty club", "headrace serve", "docs/tutorial.md"):
        assert words in output

"""The command line: version, invalid options, `init` and `nodes`."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.init import command_name, init
from cli.main import app
from cli.nodes import show


def output_of(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), width=200)


def test_the_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output.split()[0]) == (0, "headrace")


@pytest.mark.parametrize("port", ["-1", "65536", "99999", "http"])
def test_an_invalid_port_has_exit_code_2(port: str, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["serve", str(tmp_path), "--port", port]).exit_code == 2


def test_a_directory_with_files_is_left_as_it_is_and_a_free_name_is_suggested(tmp_path: Path, console: Console) -> None:
    for taken in ("shop", "shop-2"):
        assert init(tmp_path / taken, console) == 0
    assert init(tmp_path / "shop", console) == 2
    assert output_of(console).replace("\n", "").endswith(f"init {tmp_path / 'shop-3'}")


@pytest.mark.parametrize(
    ("on_path", "expected"),
    [pytest.param(True, "headrace", id="on PATH"), pytest.param(False, "{}/bin/headrace", id="not on PATH")],
)
def test_commands_are_printed_as_a_shell_can_call_them(
    on_path: bool, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bin" / "headrace"
    script.parent.mkdir()
    script.write_text("")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent) if on_path else str(tmp_path))
    monkeypatch.setattr("sys.argv", [str(script), "init", "shop"])
    assert command_name() == expected.format(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("profile.mrge", "There is no node type `profile.mrge`: did you mean `profile.merge`?\n"),
        ("zzzzzzzz", "There is no node type `zzzzzzzz`: `headrace nodes` lists them\n"),
    ],
)
def test_an_unknown_node_type_is_reported_with_a_remedy(name: str, expected: str, console: Console) -> None:
    assert (show(name, console), output_of(console)) == (2, expected)

"""The tutorial: a reader who follows it word by word in an empty directory sees the output that the page shows."""

import json
import re
import shlex
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.serve import STOPPED
from tests.docs.page import ROOT, Command, File, blocks, curl, steps
from tests.system.server_process import ServerProcess, serving

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
FILES = [step for step in steps(PAGE) if isinstance(step, File)]
COMMANDS = [step for step in steps(PAGE) if isinstance(step, Command)]

_ID = re.compile(r"\b[0-9a-f]{32}\b")
_OBJECT = re.compile(r"\{\".*\}$", re.MULTILINE)  # JSON at the end of a line; the order of its keys means nothing
_VARYING = [  # values that differ in every run, and their replacements in a comparison
    (re.compile(r"http://127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?"), "TIME"),
    (re.compile(r"setup=[\w-]+"), "SETUP"),
    (re.compile(r"\b\d+ ms"), "DURATION"),
    (re.compile(r'"version": "[0-9a-f]{16}"'), "VERSION"),
]


class Transcript:
    """Outputs in which each id is replaced by its number, in the order in which they are first shown."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def plain(self, output: str) -> str:
        """The output without values that vary from run to run, and without spaces at the ends of its lines."""
        for varying, name in _VARYING:
            output = varying.sub(name, output)
        output = _OBJECT.sub(lambda found: json.dumps(json.loads(found[0]), sort_keys=True), output)
        return "\n".join(line.rstrip() for line in _ID.sub(self._numbered, output).strip().split("\n"))

    def as_in(self, other: "Transcript", line: str) -> str:
        """A command of this transcript with the ids of the other one in place of its own."""
        return _ID.sub(lambda found: other.ids[self.ids.index(found[0])], line)

    def _numbered(self, found: re.Match[str]) -> str:
        if found[0] not in self.ids:
            self.ids.append(found[0])
        return f"id-{self.ids.index(found[0])}"


class Reader:
    """A reader who enters commands in the current directory. At most one server runs, and it is the newest."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._served: ServerProcess | None = None
        self._printed = ""  # by the server, before it was asked to stop

    def output(self, line: str, shown: str) -> str:
        """Run a command; returns what it prints. Of a server, these are as many lines as the page shows."""
        words = shlex.split(line)
        match words[:2]:
            case ["curl", _]:
                assert self._served is not None, "no server runs"
                return curl(line, self._served.address)
            case ["headrace", "serve"]:
                self.stop()
                return self._serve(Path(words[2]), shown.count("\n"))
            case ["export", assignment]:  # the app that the test calls needs no path
                assert assignment == "PATH=$PWD/.venv/bin:$PATH"
                return ""
            case ["headrace", _]:
                return CliRunner().invoke(app, words[1:]).output
        raise AssertionError(f"no test can run {line}")

    def _serve(self, project: Path, lines: int) -> str:
        self._served = self._stack.enter_context(serving(project, Path("headrace.db")))
        self._served.wait_for_output("\n", lines)
        self._printed = self._served.output
        return self._printed

    def stop(self) -> None:
        """Stop the server, if one runs. It must have printed nothing but the lines that the page shows."""
        if self._served is not None:
            assert self._served.stop() == 0
            assert self._served.output == f"{self._printed}{STOPPED}\n"
        self._served = None


def test_a_reader_who_follows_the_page_sees_the_output_that_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown, seen = Transcript(), Transcript()
    with ExitStack() as stack:
        reader = Reader(stack)
        for step in steps(PAGE):
            match step:
                case File(path, text, made=True):
                    assert Path(path).read_text() == text, path
                case File(path, text):
                    Path(path).parent.mkdir(exist_ok=True)
                    Path(path).write_text(text)
                case Command(line, output):
                    printed = reader.output(shown.as_in(seen, line), output)
                    assert seen.plain(printed) == shown.plain(output), line
        reader.stop()
    assert len(shown.ids) > 1


def test_every_block_of_the_page_is_followed() -> None:
    assert blocks(PAGE) == len(FILES) + sum(2 if command.output else 1 for command in COMMANDS)


def test_every_file_that_init_makes_is_shown_whole() -> None:
    empty = ROOT / "flows" / "empty"
    made = {path.relative_to(empty).as_posix() for path in empty.rglob("*.yaml")}
    assert {file.path.removeprefix("club/") for file in FILES if file.made} == made


def test_the_first_test_of_the_readers_flow_fails_and_the_change_mends_it() -> None:
    tests = [command.output for command in COMMANDS if command.line == "headrace test club"]
    assert ["failed" in output for output in tests] == [False, True, False, False]

"""`headrace test`: plays the cases of a project's test files, and says where and why one came out otherwise."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from cli.check import project_root
from cli.testing.failure_rendering import render_failures
from cli.testing.junit import junit
from cli.testing.report import NOT_RUN, CaseResult, FileResult, NotRun, Report
from cli.testing.run_case import run_case
from cli.testing.step_runner import StepRunner, traced_project
from cli.traces import BAD, QUIET
from cli.traces import WELL as GOOD
from effects.virtual_time_loop import VirtualTimeLoop
from engine.project.project import Project
from flows.cases import LoadedCases, Playable, load_cases
from flows.diagnostic import render
from flows.files import file_name
from flows.frame import printable
from flows.project import load_project
from nodes import builtin


def play(paths: list[Path], text: str, console: Console, out: TextIO, xml: Path | None = None) -> int:
    """Play the cases of projects, or of files of them (default: the project of the current directory).

    With a `text` only the cases with it in their name, in small or capital letters. What came of them is written to
    the file `xml`, too. Gives the exit code: 1 when a case fails; else 2 when something could not be played (a path
    that is not there, a project with errors or without test files, a text that no case has); else 0.
    """
    began, playing = time.perf_counter(), _Playing(text, console, out)
    playing.all_of([path.resolve() for path in paths or [Path()]])
    report = playing.report
    if report.files:
        console.print(_summary(report, time.perf_counter() - began), soft_wrap=True)
    if xml is not None:
        try:
            xml.parent.mkdir(parents=True, exist_ok=True)
            xml.write_bytes(junit(report))
        except OSError as error:
            console.print(f"{xml} cannot be written: {error.strerror}", markup=False, highlight=False, soft_wrap=True)
            return report.exit_code or NOT_RUN
    return report.exit_code


class _Playing:
    """Plays, tells of it as it goes, and keeps what came of it."""

    def __init__(self, text: str, console: Console, out: TextIO) -> None:
        self.text = text
        self.console = console
        self.out = out
        self.report = Report()

    def all_of(self, paths: list[Path]) -> None:
        """Play all that is named, or nothing if any of it is not there."""
        for path in (path for path in paths if not path.exists()):
            self._unplayed(path, f"there is no {path}")
        if self.report.not_run:
            return
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            for root in dict.fromkeys(map(project_root, paths)):
                runner.run(self._project(root, [path for path in paths if project_root(path) == root]))
        if not self.report.files and not self.report.not_run:
            self._unplayed(Path(), f"no case has `{self.text}` in its name")

    async def _project(self, root: Path, asked: list[Path]) -> None:
        loaded = load_project(root, builtin(), _Pretended())
        cases = load_cases(root, loaded)
        error = [one for one in (*loaded.diagnostics, *cases.diagnostics) if one.severity == "error"]
        if error:
            sources = {**loaded.sources, **cases.sources}
            self.out.write(render(error, sources, colour=self.console.is_terminal and not self.console.no_color))
            more = render(error, sources, colour=False)
            self.report.not_run.append(NotRun(_from_here(root), "the project has errors", more))
            return
        chosen = [_chosen(cases, root, path) for path in asked]
        for path in (path for path, files in zip(asked, chosen, strict=True) if not files):
            told = f"{path} has no test files: write flows/NAME.test.yaml (docs/testing.md says how)"
            self._unplayed(path, told)
        project = traced_project(loaded.project)
        for file in (file for file in cases.files if any(file in files for files in chosen)):
            picked = [i for i, case in enumerate(file.file.cases) if self.text.lower() in case.name.lower()]
            if picked:
                played = FileResult(project.name, _from_here(root / file.document.name), file)
                await self._file(project, played, picked)

    async def _file(self, project: Project, played: FileResult, picked: list[int]) -> None:
        file, say = played.file, self.console.print
        self.report.files.append(played)
        say(Text(printable(file.document.name), style="bold"), soft_wrap=True)
        for i in picked:
            case, began = file.file.cases[i], time.perf_counter()
            error = await run_case(StepRunner(project, file.file), case, ("cases", i))
            played.cases.append(CaseResult(i, time.perf_counter() - began, error))
            took = f"  {round(played.cases[-1].seconds * 1000)} ms"
            say(Text.assemble("  ", _mark(not error), printable(case.name), (took, QUIET)), soft_wrap=True)
        for line in _failures(played):
            say(line, soft_wrap=True)

    def _unplayed(self, path: Path, told: str) -> None:
        self.report.not_run.append(NotRun(_from_here(path), told))
        self.console.print(told, markup=False, highlight=False, soft_wrap=True)


def _failures(played: FileResult) -> Iterator[Text]:
    """What came out otherwise in a file, case by case."""
    failed = [case for case in played.cases if case.failures]
    for case in failed:
        yield Text.assemble("\n  ", _mark(False), (printable(played.file.file.cases[case.index].name), "bold"))
        for line in render_failures(played.file, case.failures):
            yield Text("    ").append_text(line)
    if failed:
        yield Text()


def _summary(report: Report, seconds: float) -> Text:
    cases = f"{report.cases - report.failed} passed" + (f", {report.failed} failed" if report.failed else "")
    files = f"{len(report.files)} file" + ("s" if len(report.files) != 1 else "")
    took = (f"  ({round(seconds * 1000)} ms)", QUIET)
    rest = "; not all that was named could be played, see above" if report.not_run else ""
    return Text.assemble(_mark(not report.exit_code), f"{cases} in {files}", took, rest)


def _from_here(path: Path) -> str:
    return os.path.relpath(path)


def _mark(well: bool) -> tuple[str, str]:
    return ("✓ ", GOOD) if well else ("✗ ", BAD)


def _chosen(cases: LoadedCases, root: Path, path: Path) -> list[Playable]:
    """The files that a path asks for; a flow's name stands for the test file beside it."""
    if path == root:
        return list(cases.files)
    name = file_name(root, path)
    beside = name.removesuffix(".yaml") + ".test.yaml"
    named = {name, beside} if name.endswith(".yaml") else {name}
    return [file for file in cases.files if file.document.name in named or file.document.name.startswith(f"{name}/")]


class _Pretended(dict[str, str]):
    """An environment in which every secret is set: tests call nobody, so they need none."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"https://secret.invalid/{'0' * 32}"

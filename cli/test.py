"""`headrace test`: runs the cases of a project's test files, and reports where and why a case fails."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from cli.check import project_root
from cli.testing.case_project import named_flows
from cli.testing.failure_rendering import render_failures
from cli.testing.junit import junit
from cli.testing.named_segments import named_segments
from cli.testing.report import NOT_RUN, CaseResult, FileResult, NotRun, Report
from cli.testing.run_case import run_case
from cli.testing.step_runner import StepRunner, traced_project
from cli.traces import BAD, GOOD, QUIET
from effects.virtual_time_loop import VirtualTimeLoop
from engine.project.project import Project
from flows.cases import LoadedCases, Playable, load_cases
from flows.diagnostic import Diagnostic, render
from flows.files import SETTINGS, file_name
from flows.frame import printable
from flows.project import LoadedProject, load_project
from flows.secret import AnySecret
from nodes import builtin


def play(paths: list[Path], text: str, console: Console, out: TextIO, xml: Path | None = None) -> int:
    """Run the cases of projects, or of some of their files; by default of the project of the current directory.

    With `text`, only the cases whose name contains it, in any case. The report is also written as JUnit XML to the file
    `xml`. Returns the exit code: 1 when a case fails; else 2 when something could not be run (a path that does not
    exist, a project with errors or without test files, a `text` that no name contains); else 0.
    """
    start, runner = time.perf_counter(), _Runner(text, console, out)
    runner.run([path.resolve() for path in paths or [Path()]])
    report = runner.report
    if report.files:
        console.print(_summary(report, time.perf_counter() - start), soft_wrap=True)
    if xml is not None:
        try:
            xml.parent.mkdir(parents=True, exist_ok=True)
            xml.write_bytes(junit(report))
        except OSError as error:
            console.print(f"{xml} cannot be written: {error.strerror}", markup=False, highlight=False, soft_wrap=True)
            return report.exit_code or NOT_RUN
    return report.exit_code


class _Runner:
    """One call of the command: runs cases, prints each result at once, and collects the report."""

    def __init__(self, text: str, console: Console, out: TextIO) -> None:
        self.text = text
        self.console = console
        self.out = out
        self.report = Report()

    def run(self, paths: list[Path]) -> None:
        """Run the cases of all paths, or none when one of the paths does not exist."""
        for path in (path for path in paths if not path.exists()):
            self._add_not_run(path, f"there is no {path}")
        if self.report.not_run:
            return
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            for root in dict.fromkeys(map(project_root, paths)):
                runner.run(self._run_project(root, [path for path in paths if project_root(path) == root]))
        if not self.report.files and not self.report.not_run:
            self._add_not_run(Path(), f"no case has `{self.text}` in its name")

    async def _run_project(self, root: Path, requested: list[Path]) -> None:
        loaded = load_project(root, builtin(), AnySecret())
        cases = load_cases(root, loaded)
        errors = self._report_errors(root, loaded, cases)
        if any(error.file == SETTINGS for error in errors):  # all of the project depends on them
            return
        selected = [_select(cases, root, path) for path in requested]
        for path in (path for path, files in zip(requested, selected, strict=True) if not files and not errors):
            message = f"{path} has no test files: write flows/NAME.test.yaml (docs/testing.md says how)"
            self._add_not_run(path, message)
        project = traced_project(loaded.project)
        for file in (file for file in cases.files if any(file in files for files in selected)):
            indexes = [i for i, case in enumerate(file.file.cases) if self.text.lower() in case.name.lower()]
            if indexes and (missing := _unreadable(file, loaded)):
                self._add_not_run(root / file.document.name, f"{file.document.name} is not played: {missing}")
            elif indexes:
                played = FileResult(project.name, _from_here(root / file.document.name), file)
                await self._run_file(project, played, indexes)

    def _report_errors(self, root: Path, loaded: LoadedProject, cases: LoadedCases) -> list[Diagnostic]:
        """Report the errors of a project and its test files, and return them."""
        errors = [d for d in (*loaded.diagnostics, *cases.diagnostics) if d.severity == "error"]
        if errors:
            sources = {**loaded.sources, **cases.sources}
            self.out.write(render(errors, sources, colour=self.console.is_terminal and not self.console.no_color))
            details = render(errors, sources, colour=False)
            self.report.not_run.append(NotRun(_from_here(root), "the project has errors", details))
        return errors

    async def _run_file(self, project: Project, played: FileResult, indexes: list[int]) -> None:
        file, write = played.file, self.console.print
        self.report.files.append(played)
        write(Text(printable(file.document.name), style="bold"), soft_wrap=True)
        for i in indexes:
            case, start = file.file.cases[i], time.perf_counter()
            result = await run_case(StepRunner(project, file.file, case, file.recorded), case, ("cases", i))
            played.cases.append(CaseResult(i, time.perf_counter() - start, result.failures, result.notes))
            duration = f"  {round(played.cases[-1].seconds * 1000)} ms"
            write(
                Text.assemble("  ", _mark(not result.failures), printable(case.name), (duration, QUIET)), soft_wrap=True
            )
            for note in result.notes:
                write(Text(f"      note: {printable(note)}", QUIET), soft_wrap=True)
        for line in _failures(played):
            write(line, soft_wrap=True)

    def _add_not_run(self, path: Path, message: str) -> None:
        self.report.not_run.append(NotRun(_from_here(path), message))
        self.console.print(message, markup=False, highlight=False, soft_wrap=True)


def _unreadable(file: Playable, loaded: LoadedProject) -> str:
    """Return which flow or segment with errors a test file needs, as a sentence; empty if it needs none."""
    readable = {flow.name for flow in loaded.project.flows}
    flows = (loaded.names.get("flows", frozenset()) - readable) & named_flows(file.file)
    segments = loaded.names.get("segments", frozenset()) - loaded.project.segments.keys()
    needed = [*sorted(flows), *sorted(segments & named_segments(file.file))]
    return f"`{needed[0]}` has errors" if needed else ""


def _failures(played: FileResult) -> Iterator[Text]:
    """The failures of a file, case by case."""
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
    duration = (f"  ({round(seconds * 1000)} ms)", QUIET)
    rest = "; not all that was named could be played, see above" if report.not_run else ""
    return Text.assemble(_mark(not report.exit_code), f"{cases} in {files}", duration, rest)


def _from_here(path: Path) -> str:
    return os.path.relpath(path)


def _mark(passed: bool) -> tuple[str, str]:
    return ("✓ ", GOOD) if passed else ("✗ ", BAD)


def _select(cases: LoadedCases, root: Path, path: Path) -> list[Playable]:
    """The test files at or below `path`. The file of a flow selects the test file beside it."""
    if path == root:
        return list(cases.files)
    name = file_name(root, path)
    beside = name.removesuffix(".yaml") + ".test.yaml"
    names = {name, beside} if name.endswith(".yaml") else {name}
    return [file for file in cases.files if file.document.name in names or file.document.name.startswith(f"{name}/")]

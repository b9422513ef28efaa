"""`headrace test`: plays the cases of a project's test files, and says where and why one came out otherwise."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from cli.check import project_root
from cli.testing.expectations import Failure
from cli.testing.play import Play
from cli.testing.stage import staged
from cli.testing.verdict import verdict
from cli.traces import BAD, QUIET
from cli.traces import WELL as GOOD
from effects.timeless import TimelessLoop
from engine.tracking.project import Project
from flows.case import Case
from flows.cases import CasesLoaded, Playable, load_cases
from flows.diagnostic import render
from flows.files import file_name
from flows.frame import frame, shown
from flows.place import Place
from flows.project import load_project
from nodes import builtin

PASSED, FAILED, UNPLAYED = 0, 1, 2  # exit codes


class Tally(Struct):
    """What came of the cases so far. `unplayed` counts what was named and could not be played."""

    files: int = 0
    passed: int = 0
    failed: int = 0
    unplayed: int = 0

    @property
    def code(self) -> int:
        """The exit code. A case that fails is never hidden by what could not be played."""
        if self.failed:
            return FAILED
        return UNPLAYED if self.unplayed or not self.files else PASSED


def play(paths: list[Path], text: str, console: Console, out: TextIO) -> int:
    """Play the cases of projects, or of files of them (default: the project of the current directory).

    With a `text` only the cases with it in their name, in small or capital letters. Gives the exit code: 1 when a case
    fails; else 2 when something could not be played (a path that is not there, a project with errors or without test
    files, a text that no case has); else 0.
    """
    chosen = [path.resolve() for path in paths or [Path()]]
    missing = [path for path in chosen if not path.exists()]
    for path in missing:
        console.print(f"there is no {path}", markup=False, soft_wrap=True)
    if missing:
        return UNPLAYED
    began, tally = time.perf_counter(), Tally()
    with asyncio.Runner(loop_factory=TimelessLoop) as runner:
        for root in dict.fromkeys(map(project_root, chosen)):
            asked = [path for path in chosen if project_root(path) == root]
            runner.run(_of_project(root, asked, text, console, out, tally))
    if tally.files:
        console.print(_summary(tally, time.perf_counter() - began), soft_wrap=True)
    elif not tally.unplayed:
        console.print(f"no case has `{text}` in its name", markup=False, highlight=False, soft_wrap=True)
    return tally.code


async def _of_project(root: Path, asked: list[Path], text: str, console: Console, out: TextIO, tally: Tally) -> None:
    loaded = load_project(root, builtin(), _Pretended())
    cases = load_cases(root, loaded)
    wrong = [one for one in (*loaded.diagnostics, *cases.diagnostics) if one.severity == "error"]
    if wrong:
        tally.unplayed += 1
        sources = {**loaded.sources, **cases.sources}
        out.write(render(wrong, sources, colour=console.is_terminal and not console.no_color))
        return
    chosen = [_chosen(cases, root, path) for path in asked]
    for path in (path for path, files in zip(asked, chosen, strict=True) if not files):
        tally.unplayed += 1
        told = f"{path} has no test files: write flows/NAME.test.yaml (docs/testing.md says how)"
        console.print(told, markup=False, highlight=False, soft_wrap=True)
    project = staged(loaded.project)
    for file in (file for file in cases.files if any(file in files for files in chosen)):
        picked = [(i, case) for i, case in enumerate(file.file.cases) if text.lower() in case.name.lower()]
        if picked:
            await _of_file(project, file, picked, console, tally)


async def _of_file(
    project: Project, file: Playable, picked: list[tuple[int, Case]], console: Console, tally: Tally
) -> None:
    tally.files += 1
    console.print(Text(shown(file.document.name), style="bold"), soft_wrap=True)
    failed: list[tuple[str, list[Failure]]] = []
    for i, case in picked:
        began = time.perf_counter()
        wrong = await verdict(Play(project, file.file), case, ("cases", i))
        took = round((time.perf_counter() - began) * 1000)
        tally.passed += not wrong
        tally.failed += bool(wrong)
        mark = ("✗ ", BAD) if wrong else ("✓ ", GOOD)
        console.print(Text.assemble("  ", mark, shown(case.name), (f"  {took} ms", QUIET)), soft_wrap=True)
        if wrong:
            failed.append((case.name, wrong))
    for name, wrong in failed:
        console.print(Text.assemble("\n  ", ("✗ ", BAD), (shown(name), "bold")), soft_wrap=True)
        for line in _shown_failures(file, wrong):
            console.print(Text("    ").append_text(line), soft_wrap=True)
    if failed:
        console.print()


def _shown_failures(file: Playable, failures: list[Failure]) -> Iterator[Text]:
    """What came out otherwise, place by place; of several with one reason the first says it."""
    said: set[str] = set()
    for failure in sorted(failures, key=lambda each: _where(file, each)):
        why = "\n".join(line.plain for line in failure.why)
        yield from _shown_failure(file, failure, failure.why if why not in said else ())
        said.add(why)


def _shown_failure(file: Playable, failure: Failure, why: tuple[Text, ...]) -> Iterator[Text]:
    place = _place(file, failure)
    space = " " * len(str(place.line))
    yield Text.assemble((f"{space}--> ", QUIET), f"{shown(file.document.name)}:{place.line}:{place.column}")
    *framed, under = frame(file.document.text, place, gutter=len(space))
    for margin, text in framed:
        yield Text.assemble((margin if margin.startswith(".") else f"{margin} |", QUIET), f" {text}".rstrip())
    yield Text.assemble((f"{under[0]} | ", QUIET), (under[1], BAD))
    yield Text(f"{space} = ").append(shown(failure.told), style="bold")
    if failure.help:
        yield Text.assemble(f"{space} = ", ("help", GOOD), f": {shown(failure.help)}")
    lead = f"{space} = why: "
    for part in (part for line in why for part in line.split("\n")):
        yield Text(lead).append_text(part)
        lead = " " * len(lead)


def _where(file: Playable, failure: Failure) -> tuple[int, int]:
    place = _place(file, failure)
    return place.line, place.column


def _place(file: Playable, failure: Failure) -> Place:
    return file.document.place(failure.at, "key" if failure.on_key else "value")


def _summary(tally: Tally, seconds: float) -> Text:
    cases = f"{tally.passed} passed" + (f", {tally.failed} failed" if tally.failed else "")
    mark = ("✗ ", BAD) if tally.code else ("✓ ", GOOD)
    files = f"{tally.files} file" + ("s" if tally.files != 1 else "")
    rest = "; not all that was named could be played, see above" if tally.unplayed else ""
    return Text.assemble(mark, f"{cases} in {files}", (f"  ({round(seconds * 1000)} ms)", QUIET), rest)


def _chosen(cases: CasesLoaded, root: Path, path: Path) -> list[Playable]:
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

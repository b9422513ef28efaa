"""Diagnostics: problems with their position in a file, and their report as text."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from msgspec import Struct, structs

from engine.problem import Problem, Severity
from flows.frame import frame, printable
from flows.position import Position
from flows.reader import Document

ECHOES: Final = frozenset({"H003", "H036"})
MAX_SHOWN: Final = 20  # diagnostics of one file


class Related(Struct, frozen=True, kw_only=True):
    """Another position that a diagnostic refers to, with a note about it."""

    file: str
    line: int
    column: int
    message: str


class Diagnostic(Struct, frozen=True, kw_only=True):
    """An error or warning in a file. Lines and columns count from 1; `end_column` is exclusive."""

    code: str
    severity: Severity = "error"
    message: str
    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    help: str = ""
    related: tuple[Related, ...] = ()

    @property
    def position(self) -> Position:
        """Its position in the file."""
        return Position(self.line, self.column, self.end_line, self.end_column)


def diagnose(document: Document, problems: Iterable[Problem], related: tuple[Related, ...] = ()) -> list[Diagnostic]:
    """The problems of a document as diagnostics, in the same order, each with `related`."""
    diagnostics = []
    for problem in problems:
        position = document.position(problem.path, problem.on, problem.offset, problem.length)
        diagnostics.append(
            Diagnostic(
                code=problem.code,
                severity=problem.severity,
                message=problem.message,
                file=document.name,
                line=position.line,
                column=position.column,
                end_line=position.end_line,
                end_column=position.end_column,
                help=problem.help,
                related=related,
            )
        )
    return diagnostics


def without_echoes(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics without those of the text at whose very place the data has an error, which is the cause.

    Such an error takes over the remedy for a number that is not stored as it is written.
    """
    diagnostics = list(diagnostics)
    places = {(d.file, d.line, d.column) for d in diagnostics if d.severity == "error" and d.code not in ECHOES}
    echoes = {(d.file, d.line, d.column): d for d in diagnostics if d.code in ECHOES}
    kept: list[Diagnostic] = []
    for diagnostic in diagnostics:
        place = (diagnostic.file, diagnostic.line, diagnostic.column)
        echo = echoes.get(place)
        if diagnostic.code in ECHOES and place in places:
            continue
        if diagnostic.code not in ECHOES and echo is not None and echo.code == "H036" and "quotes" in diagnostic.help:
            diagnostic = structs.replace(diagnostic, help=echo.help)  # noqa: PLW2901
        kept.append(diagnostic)
    return kept


def ordered(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by file and position; at the same position errors come before warnings."""
    return sorted(diagnostics, key=lambda d: (d.file, d.line, d.column, d.severity != "error", d.code, d.message))


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], *, colour: bool) -> str:
    """The report: all diagnostics with code frames, and a summary. `sources` has the texts of all files by name."""
    paint = _COLOURS if colour else {}
    in_order = ordered(diagnostics)
    parts: list[str] = []
    for file, group in groupby(in_order, key=lambda d: d.file):
        of_file = list(group)
        chosen = ordered(sorted(of_file, key=lambda d: d.severity != "error")[:MAX_SHOWN])
        parts += [_rendered(d, sources.get(file), paint) for d in chosen]
        if len(of_file) > len(chosen):
            parts.append(f"and {len(of_file) - len(chosen)} more in {printable(file)}\n")
    return "\n".join([*parts, summary(in_order, len(sources), colour=colour)]) + "\n"


def summary(diagnostics: Iterable[Diagnostic], files: int, *, colour: bool) -> str:
    """For example `✗ 3 errors, 1 warning in 2 of 14 files`."""
    paint = _COLOURS if colour else {}
    diagnostics = list(diagnostics)
    errors = sum(d.severity == "error" for d in diagnostics)
    warnings = len(diagnostics) - errors
    mark = _painted("✗", "error", paint) if errors else _painted("✓", "help", paint)
    counts = _plural(errors, "error") if errors else "no errors"
    if warnings:
        counts += ", " + _plural(warnings, "warning")
    touched = len({d.file for d in diagnostics})
    files = max(files, touched)
    where = f"{touched} of {_plural(files, 'file')}" if touched else _plural(files, "file")
    return f"{mark} {counts} in {where}"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _rendered(diagnostic: Diagnostic, source: str | None, paint: Mapping[str, str]) -> str:
    gutter = len(str(diagnostic.line))
    framed = frame(source, diagnostic.position, gutter=gutter) if source is not None else []
    head = _painted(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity, paint)
    where = f"{printable(diagnostic.file)}:{diagnostic.line}:{diagnostic.column}"
    lines = [
        f"{head}: {printable(diagnostic.message)}",
        " " * gutter + _painted("--> ", "margin", paint) + where,
        *(_framed_line(margin, text, paint) for margin, text in framed[:-1]),
        *(_framed_line(m, _painted(t, diagnostic.severity, paint), paint) for m, t in framed[-1:]),
    ]
    for other in diagnostic.related:
        note = f"{printable(other.file)}:{other.line}:{other.column}: {printable(other.message)}"
        lines.append(f"{' ' * gutter} = note: {note}")
    if diagnostic.help:
        lines.append(f"{' ' * gutter} = {_painted('help', 'help', paint)}: {printable(diagnostic.help)}")
    return "\n".join(lines) + "\n"


def _framed_line(margin: str, text: str, paint: Mapping[str, str]) -> str:
    if margin.startswith("."):
        return _painted(margin, "margin", paint)
    bar = _painted(f"{margin} |", "margin", paint)
    return f"{bar} {text}".rstrip()


def _painted(text: str, role: str, paint: Mapping[str, str]) -> str:
    return f"{paint[role]}{text}\x1b[0m" if role in paint else text


_COLOURS: Final = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "help": "\x1b[1;32m",
    "margin": "\x1b[1;34m",
}

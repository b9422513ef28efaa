"""The recorded requests that a test file plays: they are read from beside it, and checked."""

from collections.abc import Collection, Iterator
from pathlib import Path

from engine.problem import KeyPath, Problem, did_you_mean
from flows.case import CaseFile
from flows.diagnostic import Diagnostic
from flows.files import read_text
from flows.recorded import BadRecording, RecordedRequest, read_recorded


def recordings(
    file: CaseFile, folder: Path, webhooks: Collection[str], found: dict[str, tuple[RecordedRequest, ...]]
) -> Iterator[Problem]:
    """Add the requests that a test file in `folder` plays to `found`, by file; yield the problems of the others."""
    for at, name in _named(file):
        if name in found:
            continue
        read = _read(folder, name)
        if isinstance(read, str):
            known = sorted(path.name for path in folder.glob("*.http"))
            help = did_you_mean(name, known) or "record a request there: see `headrace webhook test --help`"
            yield Problem(code="H421", message=read, path=at, help=help)
            continue
        found[name] = read
        for recorded in read:
            if recorded.webhook not in webhooks:
                message = f"{name}, line {recorded.line}: {recorded.target} is not the address of a webhook"
                help = "write `POST /webhook/collect/NAME HTTP/1.1` with one of: " + (
                    ", ".join(sorted(webhooks)) or "none"
                )
                yield Problem(code="H421", message=message, path=at, help=help)


def _named(file: CaseFile) -> Iterator[tuple[KeyPath, str]]:
    """Yield the files that the cases of a test file name, with their places."""
    for i, case in enumerate(file.cases):
        if isinstance(case.webhook, str):
            yield ("cases", i, "webhook"), case.webhook
        for j, step in enumerate(case.steps):
            if isinstance(step.webhook, str):
                yield ("cases", i, "steps", j, "webhook"), step.webhook


def _read(folder: Path, name: str) -> tuple[RecordedRequest, ...] | str:
    """Return the requests of a file, or why it has none."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        return f"there is no file `{name}` beside this one"
    text = read_text(path, name)
    if isinstance(text, Diagnostic):
        return text.message
    try:
        return read_recorded(text)
    except BadRecording as bad:
        return f"{name}, {bad}"

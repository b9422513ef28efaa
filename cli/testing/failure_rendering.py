"""Renders failures: the place in the file, the expected and the actual value, and the reason."""

from collections.abc import Iterator

from rich.text import Text

from cli.testing.expectations import Failure
from cli.traces import BAD, GOOD, QUIET
from flows.cases import Playable
from flows.frame import frame, printable
from flows.position import Position


def render_failures(file: Playable, failures: list[Failure]) -> Iterator[Text]:
    """Yield the lines of all failures in the order of the file. Of several with one reason, only the first has it."""
    rendered: set[str] = set()
    for failure in in_file_order(file, failures):
        reason = "\n".join(line.plain for line in failure.reasons)
        yield from _failure(file, failure, failure.reasons if reason not in rendered else ())
        rendered.add(reason)


def in_file_order(file: Playable, failures: list[Failure]) -> list[Failure]:
    """Return the failures in the order of their places in the file."""

    def line_and_column(failure: Failure) -> tuple[int, int]:
        place = _place(file, failure)
        return place.line, place.column

    return sorted(failures, key=line_and_column)


def _failure(file: Playable, failure: Failure, reasons: tuple[Text, ...]) -> Iterator[Text]:
    place = _place(file, failure)
    space = " " * len(str(place.line))
    yield Text.assemble((f"{space}--> ", QUIET), f"{printable(file.document.name)}:{place.line}:{place.column}")
    *framed, under = frame(file.document.text, place, gutter=len(space))
    for margin, text in framed:
        yield Text.assemble((margin if margin.startswith(".") else f"{margin} |", QUIET), f" {text}".rstrip())
    yield Text.assemble((f"{under[0]} | ", QUIET), (under[1], BAD))
    yield Text(f"{space} = ").append(printable(failure.message), style="bold")
    if failure.help:
        yield Text.assemble(f"{space} = ", ("help", GOOD), f": {printable(failure.help)}")
    lead = f"{space} = why: "
    for part in (part for line in reasons for part in line.split("\n")):
        yield Text(lead).append_text(part)
        lead = " " * len(lead)


def _place(file: Playable, failure: Failure) -> Position:
    return file.document.position(failure.at, "key" if failure.on_key else "value")

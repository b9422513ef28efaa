"""Showing what came out otherwise: the place in the file, what was expected and what was, and why."""

from collections.abc import Iterator

from rich.text import Text

from cli.testing.expectations import Failure
from cli.traces import BAD, QUIET, WELL
from flows.cases import Playable
from flows.frame import frame, printable
from flows.position import Position


def failure_lines(file: Playable, failures: list[Failure]) -> Iterator[Text]:
    """What came out otherwise, place by place; of several with one reason the first says it."""
    said: set[str] = set()
    for failure in ordered_lines(file, failures):
        why = "\n".join(line.plain for line in failure.why)
        yield from _failure(file, failure, failure.why if why not in said else ())
        said.add(why)


def ordered_lines(file: Playable, failures: list[Failure]) -> list[Failure]:
    """As they stand in the file."""

    def where(failure: Failure) -> tuple[int, int]:
        place = _place(file, failure)
        return place.line, place.column

    return sorted(failures, key=where)


def _failure(file: Playable, failure: Failure, why: tuple[Text, ...]) -> Iterator[Text]:
    place = _place(file, failure)
    space = " " * len(str(place.line))
    yield Text.assemble((f"{space}--> ", QUIET), f"{printable(file.document.name)}:{place.line}:{place.column}")
    *framed, under = frame(file.document.text, place, gutter=len(space))
    for margin, text in framed:
        yield Text.assemble((margin if margin.startswith(".") else f"{margin} |", QUIET), f" {text}".rstrip())
    yield Text.assemble((f"{under[0]} | ", QUIET), (under[1], BAD))
    yield Text(f"{space} = ").append(printable(failure.told), style="bold")
    if failure.help:
        yield Text.assemble(f"{space} = ", ("help", WELL), f": {printable(failure.help)}")
    lead = f"{space} = why: "
    for part in (part for line in why for part in line.split("\n")):
        yield Text(lead).append_text(part)
        lead = " " * len(lead)


def _place(file: Playable, failure: Failure) -> Position:
    return file.document.position(failure.at, "key" if failure.on_key else "value")

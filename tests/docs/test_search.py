"""The page about searching: every query in it has the result that the page says, and the tables match the code."""

import re
from pathlib import Path

import msgspec
import pytest

from engine.ports.kinds import SEARCHABLE
from engine.ports.records import Rejected, StoredEvent
from engine.problem import Problem, ProblemError
from engine.search import match, syntax
from engine.search.match import matches
from engine.search.page import DEFAULT_LIMIT, MAX_LIMIT
from engine.search.parse import MAX_DEPTH, parse
from tests.docs.test_examples import anchors

PAGE = (Path(__file__).parents[2] / "docs" / "search.md").read_text()
NOON = 1_714_651_200_000  # of the second of May 2024
EVENT = msgspec.json.decode(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0], type=StoredEvent)


def rows(heading: str) -> list[tuple[str, str]]:
    """The first two columns of all tables with these headings."""
    found = []
    for table in PAGE.split(f"{heading}\n")[1:]:
        lines = table.partition("\n\n")[0].splitlines()[1:]
        found += [re.split(r"(?<!\\) \| ?", line.removeprefix("| ").removesuffix(" |"), maxsplit=1) for line in lines]
    return [(first.strip().strip("`").replace("\\|", "|"), rest[0] if rest else "") for first, *rest in found]


def finds(query: str) -> bool:
    return matches(parse(query, SEARCHABLE["events"], NOON), EVENT)


@pytest.mark.parametrize("query", [query for query, _ in rows("| query | finds it, because |")])
def test_a_query_finds_the_event(query: str) -> None:
    assert finds(query)


@pytest.mark.parametrize("query", [query for query, _ in rows("| query | because |")])
def test_a_query_does_not_find_the_event(query: str) -> None:
    assert not finds(query)


@pytest.mark.parametrize(("query", "error"), rows("| query | error |"))
def test_a_query_is_refused(query: str, error: str) -> None:
    problem = refused(query)
    assert error in f"{problem.message}\n{problem.help}"


def refused(query: str) -> Problem:
    with pytest.raises(ProblemError) as error:
        parse(query, SEARCHABLE["events"], NOON)
    return error.value.problem


def test_the_tables_of_queries_are_all_read() -> None:
    tables = [
        rows(heading) for heading in ("| query | finds it, because |", "| query | because |", "| query | error |")
    ]
    queries = re.findall(r"^\| `[^`]", PAGE, re.MULTILINE)
    assert sum(map(len, tables)) == len(queries) > 50


@pytest.mark.parametrize("kind", SEARCHABLE)
def test_the_fields_are_those_of_the_code(kind: str) -> None:
    types = {"word": 0, "moment": 1, "number": 2, "free": 3}
    expected: list[list[str]] = [[], [], [], []]
    for name, type in SEARCHABLE[kind].fields.items():
        if type != "prose":
            expected[types[type]].append(f"`{name}`")
    (row,) = re.findall(rf"^\| {kind} \|(.*)\|$", PAGE, re.MULTILINE)
    assert [cell.split() for cell in row.split("|")] == expected


@pytest.mark.parametrize("query", re.findall(r"`(reason:[^`]+)`", PAGE))
def test_a_part_of_a_reason_is_found(query: str) -> None:
    rejected = Rejected("x", "web-shop", NOON, "the body is too large, its type is missing")
    assert matches(parse(query, SEARCHABLE["rejected"], NOON), rejected)


@pytest.mark.parametrize("limit", [
    f"{match.MAX_TEXT_LENGTH:,} characters", f"{match.MAX_DEPTH} levels",
    f"{match.MAX_PATH_LENGTH:,} characters in all",
    f"{syntax.MAX_LENGTH:,} characters, {syntax.MAX_WORDS} words", f"{MAX_DEPTH} conditions",
    f"1 to {MAX_LIMIT:,}; {DEFAULT_LIMIT} when",
])  # fmt: skip
def test_the_limits_are_those_of_the_code(limit: str) -> None:
    assert limit in " ".join(PAGE.split())


def test_every_part_has_a_heading_of_its_own() -> None:
    assert len(anchors(PAGE)) == len(re.findall(r"^#+ ", PAGE, re.MULTILINE))

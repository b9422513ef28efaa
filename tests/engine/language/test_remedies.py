"""Broken expressions, each with its one diagnostic: the code, the position, the message and the remedy.

`remedies/*.txt` has the tables. An entry is an expression, and its diagnostic, indented. An expression with `{{` is a
template, any other a condition; the code of a character stands for one that cannot be seen. `HEADRACE_UPDATE=1`
rewrites the diagnostics; read the difference before you commit it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.language.expression import Condition, Expression, compile_condition
from engine.language.fields import FIELDS, with_outputs
from engine.language.findings import findings
from engine.language.path import ROOTS
from engine.language.template import split
from engine.language.value import shape_of
from engine.problem import Problem, ProblemError

TABLES = sorted((Path(__file__).parent / "remedies").glob("*.txt"))
# The first text in backticks that reads data, unless it is part of an expression or a JSONPath.
PASTED = re.compile(r"write `((?![|`$])[^`]*\b(?:event|profile|session|source|now)\b[^`]*)`")


def compiled(text: str) -> list[Condition | Expression]:
    if "{{" not in text and "{%" not in text:
        return [compile_condition(text)]
    return [piece for piece in split(text, ROOTS) if isinstance(piece, Expression)]


def diagnostics(text: str) -> list[Problem]:
    """The problems that an author is shown for a text."""
    try:
        uses = compiled(text)
    except ProblemError as error:
        return [error.problem]
    return [problem for use in uses for problem in findings(use, FIELDS)]


def described(text: str) -> list[str]:
    """The diagnostics of a text as lines of a table."""
    lines = []
    for problem in diagnostics(text):
        assert problem.offset is not None
        culprit = text[problem.offset : problem.offset + problem.length].strip() or "(the end)"
        warning = " warning" if problem.severity == "warning" else ""
        lines += [f"    {problem.code}{warning} at {culprit}", f"    {problem.message}", f"    {problem.help}"]
    return lines


def entries(table: Path) -> Iterator[tuple[str, list[str]]]:
    """The expressions of a table, each with the lines of its diagnostic."""
    for block in table.read_text(encoding="utf-8").strip().split("\n\n"):
        text, *lines = block.split("\n")
        yield re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), text), lines


ENTRIES = [entry for table in TABLES for entry in entries(table)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.stem)
def test_every_broken_expression_has_the_expected_diagnostic(table: Path) -> None:
    blocks = table.read_text(encoding="utf-8").strip().split("\n\n")
    expected = [block.split("\n")[0] for block in blocks]
    made = "\n\n".join(
        "\n".join([first, *described(text)]) for first, (text, _) in zip(expected, entries(table), strict=True)
    )
    if os.environ.get("HEADRACE_UPDATE"):
        table.write_text(made + "\n", encoding="utf-8")
    assert made + "\n" == table.read_text(encoding="utf-8")


@pytest.mark.parametrize(("text", "lines"), ENTRIES, ids=[text for text, _ in ENTRIES])
def test_a_mistake_has_exactly_one_diagnostic_with_a_remedy(text: str, lines: list[str]) -> None:
    assert len(lines) == 3
    assert lines[2].strip()


@pytest.mark.parametrize(
    ("text", "pasted"),
    [(text, match[1]) for text, lines in ENTRIES for line in lines[-1:] for match in PASTED.finditer(line)],
)
def test_a_remedy_that_can_be_pasted_is_right(text: str, pasted: str) -> None:
    assert diagnostics(pasted) == []


def test_the_tables_have_more_than_a_hundred_mistakes() -> None:
    assert len(ENTRIES) > 100


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "false",
        "not event.properties.a",
        "event.properties.a and event.properties.b or event.properties.c",
        "event.properties.name == 'a' or event.properties.b",
        "event.properties.total | default(0) > 5",
        "event.properties.total >= '2024-01-01'",
        "event.properties.a == event.properties.b | lower",
        "event.time > now - days(1)",
        "event.origin in ['flow', 'client']",
        "source.consent == true",
        "'vip' in profile.segments",
        "profile.segments | length > 2",
        "now - event.properties.at | date > days(3)",
        "now - '2024-01-01' | date > days(3)",
        "-event.properties.a | abs > 3",
        "event.properties['a\u00a0b'] == 'c\u00a0d'",
        "event.properties.a == '\U0001f468\u200d\U0001f469'",
        "{{ event.properties.name or 'friend' }}",
        "{{ event.properties.vip == true and 'VIP' or 'guest' }}",
        "{{ event.properties.a | default(0) + event.properties.b | default(0) }}",
        "{{ event.properties.a + event.properties.items | length }}",
        "{{ event.properties.a + (event.properties.b | round(1)) }}",
        "{{ (event.properties.a + event.properties.b) | round(1) }}",
        "{{ event.properties.a | int * event.properties.b | int }}",
        "{{ 'Total: ' ~ event.properties.total | round(2) }}",
        "{{ '?q=' ~ event.properties.q | urlencode }}",
        "{{ 'Hello, {event.properties.name} – “you”' }}",
        "{{ {'a': event.properties.a} }}",
        "{{ event.properties.at | date | format_date('%d.%m.%Y') }}",
        "$5, 100 % off, a { color: red }, {{ event.id }}",
    ],
)
def test_an_expression_that_may_be_meant_has_no_diagnostic(text: str) -> None:
    assert diagnostics(text) == []


def test_the_output_of_a_node_has_the_kinds_of_its_values() -> None:
    shapes = with_outputs({"sums": shape_of({"net": "{{ now / 2 }}", "currency": "EUR", "any": "{{ event.id or 1 }}"})})
    for text, always in [
        ("nodes.sums.out.net == 'x'", True),
        ("nodes.sums.out.net > 5", False),
        ("nodes.sums.out.currency > 5", True),
        ("nodes.sums.out.currency == 'EUR'", False),
        ("nodes.sums.out == 'x'", True),
        ("nodes.other.out == 'x'", False),
    ]:
        assert bool(findings(compile_condition(text), shapes)) is always

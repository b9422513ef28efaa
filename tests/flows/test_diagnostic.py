"""The report of diagnostics: positions, order, its limit, and safety for a terminal."""

import pytest

from engine.problem import Problem
from flows.diagnostic import MAX_SHOWN, Diagnostic, Related, diagnose, render, summary
from flows.reader import read_yaml

TEXT = "flow: order\nnodes:\n  first:\n    # why\n    if: event.total > 5\n    next: secnd\n"


def finding(
    line: int, column: int = 1, *, code: str = "H117", severity: str = "error", file: str = "a.yaml"
) -> Diagnostic:
    return Diagnostic(
        code=code,
        severity="warning" if severity == "warning" else "error",
        message=f"finding at {line}",
        file=file,
        line=line,
        column=column,
        end_line=line,
        end_column=column + 1,
    )


def test_a_diagnostic_has_its_line_underlined_below_the_line_of_its_block() -> None:
    document = read_yaml(TEXT, "flows/order.yaml")
    problem = Problem(
        code="H117", message="there is no node `secnd`", path=("nodes", "first", "next"), help="look again"
    )
    report = render(diagnose(document, [problem]), {document.name: document.text, "other.yaml": ""}, colour=False)
    assert report == (
        "error[H117]: there is no node `secnd`\n"
        " --> flows/order.yaml:6:11\n"
        "  |\n"
        "3 |   first:\n"
        "...\n"
        "6 |     next: secnd\n"
        "  |           ^^^^^\n"
        "  = help: look again\n"
        "\n"
        "✗ 1 error in 1 of 2 files\n"
    )


def test_an_offset_inside_an_expression_is_underlined_in_the_file() -> None:
    document = read_yaml(TEXT, "a.yaml")
    problem = Problem(code="H202", message="m", path=("nodes", "first", "if"), offset=6, length=5)
    (diagnostic,) = diagnose(document, [problem])
    assert (diagnostic.line, diagnostic.column, diagnostic.end_column) == (5, 15, 20)


def test_diagnostics_are_sorted_by_file_and_position_and_errors_come_first() -> None:
    diagnostics = [finding(3, file="b"), finding(9), finding(2, severity="warning", code="H1"), finding(2, code="H9")]
    report = render(diagnostics, {}, colour=False)
    heads = [line for line in report.splitlines() if ": finding" in line]
    assert heads == [
        "error[H9]: finding at 2",
        "warning[H1]: finding at 2",
        "error[H117]: finding at 9",
        "error[H117]: finding at 3",
    ]


def test_at_most_20_diagnostics_of_a_file_are_printed_and_errors_before_warnings() -> None:
    diagnostics = [finding(n, severity="warning") for n in range(1, 30)] + [finding(100 + n) for n in range(5)]
    report = render(diagnostics, {}, colour=False)
    assert report.count("error[") == 5
    assert report.count("warning[") == MAX_SHOWN - 5
    assert "and 14 more in a.yaml" in report
    assert "✗ 5 errors, 29 warnings in 1 of 1 file" in report


@pytest.mark.parametrize(
    ("diagnostics", "files", "expected"),
    [
        pytest.param([], 14, "✓ no errors in 14 files", id="nothing"),
        pytest.param([finding(1)], 1, "✗ 1 error in 1 of 1 file", id="one error"),
        pytest.param(
            [finding(1), finding(2), finding(3, file="b"), finding(4, severity="warning")],
            14,
            "✗ 3 errors, 1 warning in 2 of 14 files",
            id="errors and a warning",
        ),
        pytest.param([finding(1, severity="warning")], 2, "✓ no errors, 1 warning in 1 of 2 files", id="a warning"),
    ],
)
def test_the_summary_counts(diagnostics: list[Diagnostic], files: int, expected: str) -> None:
    assert summary(diagnostics, files, colour=False) == expected


def test_related_positions_are_printed() -> None:
    related = Related(file="flows/a.yaml", line=1, column=7, message="this one is used")
    diagnostic = Diagnostic(code="H405", message="twice", file="b.yaml", related=(related,))
    assert " = note: flows/a.yaml:1:7: this one is used" in render([diagnostic], {}, colour=False)


def test_colour_is_used_only_on_request() -> None:
    assert "\x1b[" not in render([finding(1)], {"a.yaml": "x"}, colour=False)
    assert "\x1b[1;31merror[H117]\x1b[0m: finding" in render([finding(1)], {"a.yaml": "x"}, colour=True)


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x07", "\u202e", "\u2028", "\ud800", "\x9b"])
def test_control_characters_of_a_file_do_not_reach_the_terminal(hostile: str) -> None:
    diagnostic = Diagnostic(code="H028", message=f"a {hostile} b", file=f"{hostile}.yaml", help=hostile)
    report = render([diagnostic], {f"{hostile}.yaml": f"x: {hostile} y"}, colour=False)
    assert hostile not in report
    report.encode()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        pytest.param("x: {é: 漢字漢字, y: bad}", "bad", id="wide characters take two columns"),
        pytest.param("x:\tbad", "bad", id="a tab is shown four wide"),
        pytest.param("x: e\u0301 bad", "bad", id="combining marks take none"),
        pytest.param("x: " + "a" * 400 + " bad " + "b" * 400, "bad", id="a long line is cut around the place"),
        pytest.param("bad " + "b" * 400, "bad", id="a long line is cut behind it"),
    ],
)
def test_carets_are_below_the_underlined_word(line: str, word: str) -> None:
    at = line.index(word) + 1
    diagnostic = Diagnostic(code="H1", message="m", file="a", line=1, column=at, end_line=1, end_column=at + len(word))
    printed, carets = [
        row.split("| ", 1)[1] for row in render([diagnostic], {"a": line}, colour=False).splitlines()[3:5]
    ]
    assert len(printed) <= 130
    assert carets.count("^") == len(word)
    cells = "".join(
        character * (2 if character in "漢字" else 0 if character == "\u0301" else 1) for character in printed
    )
    assert cells[carets.index("^") :].startswith(word)

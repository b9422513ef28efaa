"""Properties of the reader for any text: it never raises, and problems and offsets are inside the text."""

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.offsets import raw_offsets
from flows.reader import read_yaml
from tests.fast import cases

SHAPES = [
    "a",
    "b: ",
    "c:",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "\r\n",
    "\t",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "---\n",
    "...\n",
]
SIGNS = [
    "'",
    '"',
    "*",
    "&a ",
    "*a",
    "!x ",
    "? ",
    "#",
    " #",
    "|",
    ">",
    "|-\n",
    "%",
    "@",
    "`",
    "\\",
    "(",
    "\ufeff",
    "\U0001f600",
]
PITFALLS = ["{{ x }}", "\\n", "$.a[*]", "${env:A}", "1", "<<: ", "if: 'a' in b", "é"]
PIECES = st.sampled_from([*SHAPES, *SIGNS, *PITFALLS])
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))


@given(TEXTS)
@example("\ud800")
@example("a: b\x00")
@settings(max_examples=cases(300), deadline=None)
def test_any_text_is_read_and_every_problem_is_inside_it(text: str) -> None:
    document = read_yaml(text, "x.yaml")
    lines = document.text.split("\n")
    for problem in document.problems:
        position = document.position(problem.path, problem.on, problem.offset, problem.length)
        assert 1 <= position.line <= position.end_line <= len(lines)
        assert 1 <= position.column <= len(lines[position.line - 1]) + 1
        assert position.column <= position.end_column <= len(lines[position.end_line - 1]) + 1


WORD = st.sampled_from(
    ["a", "event.total", "'vip'", '"x"', "it''s", "\\", "\\n", "é", "\U0001f600", "#b", "b:c", "-", "\n", "\n\n", "  "]
)
WORDS = st.lists(WORD, min_size=1, max_size=12).map(" ".join)
STYLES = st.sampled_from(["'", '"', "|", ">", ""])


@given(WORDS, STYLES, st.sampled_from([20, 80]))
@settings(max_examples=cases(300), deadline=None)
def test_every_character_of_a_scalar_has_its_index_in_the_file(value: str, style: str, width: int) -> None:
    text = yaml.dump({"k": {"x": value, "y": 1}}, default_style=style or None, width=width, allow_unicode=True)
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    assert root is not None
    scalar = root.value[0][1].value[0][1]
    raw = text[scalar.start_mark.index : scalar.end_mark.index]
    at = raw_offsets(
        raw, scalar.style or "", scalar.value
    )  # dumping folds some texts wrongly, so the parsed value counts
    assert at is not None
    assert at == sorted(at)
    for index, character in enumerate(scalar.value):
        written = raw[at[index]]
        assert written == character or written in "\\\n"


@given(st.text(alphabet="ab '\"\\\n\t:#-{", max_size=30), STYLES)
@settings(max_examples=cases(200), deadline=None)
def test_offsets_of_any_raw_text_are_inside_it_or_unknown(raw: str, style: str) -> None:
    at = raw_offsets(raw, style, raw.strip("'\""))
    assert at is None or all(0 <= index <= len(raw) for index in at)

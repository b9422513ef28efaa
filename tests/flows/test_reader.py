"""The strict YAML reader: values, refused texts, and positions."""

import pytest

from flows.position import Position
from flows.reader import Document, read_yaml


def codes(document: Document) -> list[str]:
    return [problem.code for problem in document.problems]


def text_at(document: Document, position: Position) -> str:
    """The text at a position within one line."""
    return document.text.split("\n")[position.line - 1][position.column - 1 : position.end_column - 1]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        pytest.param("true", True, id="true is a boolean"),
        pytest.param("False", False, id="and so is False"),
        pytest.param("yes", "yes", id="yes is a text"),
        pytest.param("NO", "NO", id="the country of Norway is a text"),
        pytest.param("on", "on", id="on is a text"),
        pytest.param("null", None, id="null is nothing"),
        pytest.param("~", None, id="a tilde is nothing"),
        pytest.param("", None, id="an empty value is nothing"),
        pytest.param("12", 12, id="a whole number"),
        pytest.param("-7", -7, id="a negative number"),
        pytest.param("0", 0, id="zero"),
        pytest.param("1.5", 1.5, id="a fraction"),
        pytest.param("1e3", 1000.0, id="an exponent"),
        pytest.param(".5", 0.5, id="a fraction without its zero"),
        pytest.param("9223372036854775807", 2**63 - 1, id="the largest number"),
        pytest.param("0777", "0777", id="no octal: a postcode keeps its zero"),
        pytest.param("0x1F", "0x1F", id="no hexadecimal"),
        pytest.param("1_000", "1_000", id="no underscores"),
        pytest.param("12:30", "12:30", id="no sexagesimal"),
        pytest.param("2026-05-01", "2026-05-01", id="no dates"),
        pytest.param("2026-05-01T12:00:00Z", "2026-05-01T12:00:00Z", id="no times"),
        pytest.param("'12'", "12", id="quoted is text"),
        pytest.param('"true"', "true", id="double quoted is text"),
        pytest.param("!important"[1:], "important", id="a word is text"),
        pytest.param("a b c", "a b c", id="words are one text"),
        pytest.param("hello {{ event.type }}", "hello {{ event.type }}", id="a template within a text"),
        pytest.param('"{{ event.type }}"', "{{ event.type }}", id="a quoted template"),
        pytest.param("https://a.example/b?c=d", "https://a.example/b?c=d", id="an address"),
        pytest.param("('vip' in x)", "('vip' in x)", id="a condition in parentheses"),
        pytest.param("[1, a, {b: null}]", [1, "a", {"b": None}], id="brackets and braces"),
    ],
)
def test_plain_scalars_have_the_values_of_yaml_1_2(written: str, value: object) -> None:
    document = read_yaml(f"x: {written}\n", "x.yaml")
    assert (document.data, document.failed) == ({"x": value}, False)


def test_on_is_a_key_like_any_other() -> None:
    assert read_yaml("on: a\nyes: b\n", "x.yaml").data == {"on": "a", "yes": "b"}


PITFALLS = [
    pytest.param("x: {{ a }}\n", "H003", '`x: "{{ a }}"`', id="a template without quotes"),
    pytest.param("x: {{ a.b }}/c\n", "H003", '`x: "{{ a.b }}/c"`', id="a template with text after it"),
    pytest.param("p: {x: {{ a['b'] }}, c: 1}\n", "H003", "\"{{ a['b'] }}\", c", id="a template inside braces"),
    pytest.param("p: [{{ a }}, 1]\n", "H003", '`p: ["{{ a }}", 1]`', id="a template inside brackets"),
    pytest.param("p: {x: hi {{ a }}}\n", "H003", '`p: {x: "hi {{ a }}"}`', id="a template after text inside braces"),
    pytest.param("if: 'vip' in x\nnext: a\n", "H004", "`if: \"'vip' in x\"`", id="a condition beginning with a quote"),
    pytest.param('z:\n  - if: "a" == b\n', "H004", "`- if: '\"a\" == b'`", id="the same in a list"),
    pytest.param("if: 'a' in x and y == \"b\"\n", "H004", "`if: ('a' in x and y == \"b\")`", id="both kinds of quotes"),
    pytest.param("x: 'it's'\n", "H004", '`x: "it\'s"`', id="an apostrophe inside quotes"),
    pytest.param("p: {x: 'a' in b}\n", "H004", "`p: {x: \"'a' in b\"}`", id="text after a quote inside braces"),
    pytest.param("x: [a] b\n", "H004", '`x: "[a] b"`', id="text after a bracket"),
    pytest.param("event: *\n", "H006", '`event: "*"`', id="a lone star"),
    pytest.param("event: *-paid\n", "H006", '`event: "*-paid"`', id="a glob that begins with a star"),
    pytest.param("t: {event: *, b: c}\n", "H006", '`t: {event: "*", b: c}`', id="a star inside braces"),
    pytest.param("schedule: */5 * * * *\n", "H006", '`schedule: "*/5 * * * *"`', id="a schedule"),
    pytest.param("schedule: @daily\n", "H007", '`schedule: "@daily"`', id="an at sign"),
    pytest.param("x: `a`\n", "H007", '`x: "`a`"`', id="a backtick"),
    pytest.param("x: %a\n", "H007", '`x: "%a"`', id="a percent sign"),
    pytest.param("if: !event.x and y\n", "H008", "`if: not event.x and y`", id="an exclamation mark for not"),
    pytest.param("x: !!str 1\n", "H008", "leave the tag out", id="a tag"),
    pytest.param("a: b: c\n", "H009", '`a: "b: c"`', id="a second colon"),
    pytest.param('if: x == "a: b"\n', "H009", "`if: 'x == \"a: b\"'`", id="a colon inside quotes inside a text"),
    pytest.param("p: {x: $.items[*]}\n", "H010", '`p: {x: "$.items[*]"}`', id="a JSONPath inside braces"),
    pytest.param("p: [$.items[*].sku, b]\n", "H010", '`p: ["$.items[*].sku", b]`', id="a JSONPath inside brackets"),
    pytest.param("p: {x: a.items[0]}\n", "H010", '`p: {x: "a.items[0]"}`', id="an index inside braces"),
    pytest.param("p: {x: max(1, 2)}\n", "H011", '`p: {x: "max(1, 2)"}`', id="a call inside braces"),
    pytest.param("x: 'abc\ny: z\n", "H012", "`x: 'abc'`", id="a quote that is never closed"),
    pytest.param("x: 'abc\ny: 'd'\n", "H012", "`x: 'abc'`", id="a quote that the next one closes"),
    pytest.param("x: [a, b\ny: c\n", "H013", "", id="a bracket that is never closed"),
    pytest.param("x: {a: b}}\n", "H013", "", id="a brace too many"),
    pytest.param("flow:x\nb: c\n", "H014", "`flow: x`", id="no space after a colon"),
    pytest.param("a:\n  if:x > 1\n  next: b\n", "H014", "`if: x > 1`", id="no space deeper down"),
    pytest.param("a:\n  stop:true\n", "H014", "`stop: true`", id="no space and nothing else to notice it by"),
    pytest.param("a: {b:c}\n", "H014", "`a: {b: c}`", id="no space inside braces"),
    pytest.param("a:\n  b: 1\n c: 2\n", "H015", "", id="too little indentation"),
    pytest.param("a:\n  b: 1\n    c: 2\n", "H015", "", id="too much indentation"),
    pytest.param("a: {b: ${env:TOKEN}}\n", "H016", '`a: {b: "${env:TOKEN}"}`', id="a secret inside braces"),
    pytest.param('a: "\\q"\n', "H017", "single quotes", id="an unknown escape"),
    pytest.param("when: > 5\n", "H018", '`when: "> 5"`', id="a text that begins with a greater-than"),
    pytest.param("a: b\nc\nd: e\n", "H019", "`c:`", id="a line without a colon"),
    pytest.param("\ta: b\n", "H005", "spaces", id="a tab in front of the first key"),
    pytest.param("a:\n  b: c\n\td: e\n", "H005", "spaces", id="a tab further down"),
    pytest.param("a: 1\nb: 2\na: 3\n", "H002", "keep one", id="a key twice"),
    pytest.param("<<: {a: b}\n", "H020", "`&name`", id="a merge key"),
    pytest.param("1: a\n", "H021", '`"1":`', id="a number as key"),
    pytest.param("true: a\n", "H021", '`"true":`', id="a boolean as key"),
    pytest.param("? [a]\n: b\n", "H021", "", id="a list as key"),
    pytest.param("a: .inf\n", "H022", "finite", id="infinity"),
    pytest.param("a: .nan\n", "H022", "finite", id="not a number"),
    pytest.param("a: 1e999\n", "H022", "finite", id="a number that overflows"),
    pytest.param("a: 9223372036854775808\n", "H022", "finite", id="a number of more than 64 bits"),
    pytest.param("a: &x [*x]\n", "H023", "", id="an alias inside what it names"),
    pytest.param("a: 1\n---\nb: 2\n", "H027", "split", id="two documents"),
    pytest.param("a: \x1b[31m\n", "H028", '"\\u001b"', id="a control character"),
    pytest.param("a: b\u2028c\n", "H028", '"\\u2028"', id="a line separator"),
]


@pytest.mark.parametrize(("text", "code", "remedy"), PITFALLS)
def test_a_pitfall_has_its_own_message_and_remedy(text: str, code: str, remedy: str) -> None:
    document = read_yaml(text, "x.yaml")
    assert codes(document) == [code]
    assert remedy in document.problems[0].help


@pytest.mark.parametrize(("text", "code", "remedy"), PITFALLS)
def test_a_pitfall_on_a_later_line_is_found_as_well(text: str, code: str, remedy: str) -> None:
    above = "# a file\nname: x\nabove:\n  - {a: b}\n"
    document = read_yaml(above + text, "x.yaml")
    assert document.problems[0].code == code
    assert document.position((), "value", document.problems[0].offset).line > 4


def test_the_message_about_a_duplicate_key_names_both_lines() -> None:
    document = read_yaml("a: 1\nb: 2\na: 3\n", "x.yaml")
    (problem,) = document.problems
    assert problem.message == "`a` is written twice: on line 1 and on line 3"
    assert document.position(problem.path, problem.on, problem.offset, problem.length) == Position(3, 1, 3, 2)


def test_several_mistakes_are_reported_together() -> None:
    assert codes(read_yaml("a: {{ x }}\n1: b\nc: .nan\nc: 2\n", "x.yaml")) == ["H003", "H021", "H022", "H002"]


def test_an_unquoted_template_is_reported_once_however_it_continues() -> None:
    assert codes(read_yaml("a: {{ x | default(max(1, 2), y) }}\n", "x.yaml")) == ["H003"]


@pytest.mark.parametrize(
    "text", ["[" * 250_000, "- " * 120_000, "? " * 120_000, "{" * 250_000, "a: [[" + "[{a: " * 40_000]
)
def test_deep_nesting_is_refused_without_a_crash(text: str) -> None:
    document = read_yaml(text, "x.yaml")
    assert document.data is None
    assert set(codes(document)) <= {"H025", "H003"}


def test_the_deepest_allowed_nesting_is_read() -> None:
    assert read_yaml("[" * 64 + "]" * 64, "x.yaml").problems == []


def test_a_file_that_is_too_large_is_refused() -> None:
    assert codes(read_yaml("a: " + "b" * 300_000, "x.yaml")) == ["H024"]


def test_aliases_share_the_value_that_they_name() -> None:
    assert read_yaml("a: &x {b: 1}\nc: *x\n", "x.yaml").data == {"a": {"b": 1}, "c": {"b": 1}}


def test_aliases_that_expand_to_too_much_text_are_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    document = read_yaml(bomb, "x.yaml")
    assert (document.data, codes(document)) == (None, ["H026"])


def test_a_byte_order_mark_and_other_line_ends_change_nothing() -> None:
    plain = read_yaml("a: 1\nb:\n  c: x y\n", "x.yaml")
    odd = read_yaml("\ufeffa: 1\r\nb:\r\n  c: x y\r\n", "x.yaml")
    assert (odd.data, odd.problems) == (plain.data, [])
    assert odd.position(("b", "c"), "value", 2) == plain.position(("b", "c"), "value", 2) == Position(3, 8, 3, 9)


def test_an_empty_text_has_no_data_and_no_problem() -> None:
    document = read_yaml("# nothing yet\n", "x.yaml")
    assert (document.data, document.problems) == (None, [])
    assert document.position(("a",), "key").line == 1


DOCUMENT = read_yaml(
    """\
flow: order
nodes:
  first:
    if: event.total > 0
    next: [a, b]
  second:
    log: {level: info, message: "hi"}
items:
  - name: x
  - plain
empty:
shared: &s {deep: 1}
again: *s
""",
    "x.yaml",
)


@pytest.mark.parametrize(
    ("path", "on", "line", "text"),
    [
        pytest.param(("flow",), "key", 1, "flow", id="a key"),
        pytest.param(("flow",), "value", 1, "order", id="a value"),
        pytest.param(("nodes", "first"), "value", 3, "first", id="a map below its key is named by the key"),
        pytest.param(("nodes", "first", "next", 1), "value", 5, "b", id="a list's item"),
        pytest.param(("nodes", "first", "next"), "value", 5, "[a, b]", id="a list in brackets"),
        pytest.param(("nodes", "second", "log", "level"), "key", 7, "level", id="a key inside braces"),
        pytest.param(("items", 0), "value", 9, "name: x", id="an item that is a map"),
        pytest.param(("items", 1), "key", 10, "plain", id="an item has no key but itself"),
        pytest.param(("empty",), "value", 11, "empty", id="a missing value is named by its key"),
        pytest.param(("nodes", "first", "gone", "deep"), "value", 3, "first", id="a path that leads nowhere"),
        pytest.param(("again", "deep"), "value", 12, "1", id="below an alias"),
    ],
)
def test_the_position_of_a_path_is_that_of_its_key_or_value(
    path: tuple[str | int, ...], on: str, line: int, text: str
) -> None:
    position = DOCUMENT.position(path, "key" if on == "key" else "value")
    assert (position.line, text_at(DOCUMENT, position)) == (line, text)


@pytest.mark.parametrize(
    ("text", "word", "line", "column"),
    [
        pytest.param("x: one two\n", "two", 1, 8, id="plain"),
        pytest.param("x: &anchor one two\n", "two", 1, 16, id="plain behind an anchor"),
        pytest.param("x: one\n  two three\n", "three", 2, 7, id="plain over two lines"),
        pytest.param("x: 'it''s two'\n", "two", 1, 11, id="single quotes"),
        pytest.param('x: "a\\u00e9\\n two"\n', "two", 1, 15, id="double quotes with escapes"),
        pytest.param('x: "one\n\n  two"\n', "two", 3, 3, id="double quotes over lines"),
        pytest.param("x: |\n  one\n    two\n", "two", 3, 5, id="literal"),
        pytest.param("x: |2-\n    one\n  two\n\ny: z\n", "two", 3, 3, id="literal with a header"),
        pytest.param("x: >\n  one\n  two\n\n  three\n", "three", 5, 3, id="folded"),
        pytest.param("x: >-\n  one\n  two\n# not part of it\ny: z\n", "two", 3, 3, id="folded above a comment"),
    ],
)
def test_an_offset_in_a_scalar_is_found_in_the_file(text: str, word: str, line: int, column: int) -> None:
    document = read_yaml(text, "x.yaml")
    position = document.position(("x",), "value", document.data["x"].index(word), len(word))
    assert (position.line, position.column, text_at(document, position)) == (line, column, word)

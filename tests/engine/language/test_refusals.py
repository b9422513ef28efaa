"""Bad expressions are refused with a code, a remedy and the exact position."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.language.expression import compile_condition
from engine.language.fields import FIELDS
from engine.language.findings import findings
from engine.language.hints import NO_ROOTS, WORDS
from engine.problem import ProblemError
from tests.engine.language.expressions import compile_expression


def problem_of(compile, text):
    """Return the first problem of a text, or None."""
    try:
        use = compile(text)
    except ProblemError as error:
        return error.problem
    return next(iter(findings(use, FIELDS)), None)


def refused(text, compile=compile_expression):
    problem = problem_of(compile, text)
    assert problem is not None
    return problem, text[problem.offset : problem.offset + problem.length]


@pytest.mark.parametrize(
    ("text", "code", "culprit", "offset"),
    [
        ("", "H201", "", 0),
        ("   ", "H201", "   ", 0),
        ("event.x ==", "H201", "", 10),
        ("event.x +  ", "H201", " ", 9),
        ("event.x y", "H201", "y", 8),
        ("a) + (b", "H201", ")", 1),
        ("(event.x", "H201", "(", 0),
        ("[1, (2]", "H201", "(", 4),
        ("event.x[1", "H201", "[", 7),
        ("event.", "H201", "", 6),
        ("event..x", "H201", ".", 6),
        ("event.x == 'a", "H201", "'", 11),
        ("event.x;", "H201", ";", 7),
        ("event.x,", "H201", ",", 7),
        ("event.x }} z", "H201", "}}", 8),
        ("event.x or\n  event.y z", "H201", "z", 21),
        ("event.x # note", "H201", "#", 8),
        (r"'\ud800'", "H201", r"\ud800", 1),
        ("1 if event.x", "H201", "1 if event.x", 0),
        ("evnt.x", "H202", "evnt", 0),
        ("event.x > limit", "H202", "limit", 10),
        ("event.x | lowr", "H203", "lowr", 10),
        ("event.x | default(1) | lowr | upper", "H203", "lowr", 23),
        ("event.x is odd", "H203", "odd", 11),
        ("event.x is not odd", "H203", "odd", 15),
        ("foo(1)", "H203", "foo", 0),
        ("min(1)", "H203", "min", 0),
        ("days()", "H203", "days", 0),
        ("event.x | replace('a')", "H203", "replace", 10),
        ("event.x | lower(1)", "H203", "lower", 10),
        ("event.x[1.5]", "H204", "1.5", 8),
        ("event.x[true]", "H204", "true", 8),
        ("event.x[none]", "H204", "none", 8),
        ("event.x['a', 'b']", "H204", "event.x['a', 'b']", 0),
        ("1 + event.x ** 2", "H205", "**", 12),
        ("event.x[1:2]", "H205", "event.x[1:2]", 0),
        ("2 * (1, 2)", "H205", "(1, 2)", 4),
        ("event.x.lower()", "H205", "lower", 8),
        ("event.x.format('a')", "H205", "format", 8),
        ("(event.x)(1)", "H205", "x", 7),
        ("[1](2)", "H205", "[1](2)", 0),
        ("event.x == none", "H205", "none", 11),
        ("none in event.x", "H205", "none", 0),
        ("event.x + +1", "H205", "+1", 10),
        ("{1: 2}", "H205", "1", 1),
        ("{event.x: 2}", "H205", "event.x", 1),
        ("min(*event.x)", "H205", "event.x", 5),
        ("min(1, **event.x)", "H205", "**", 7),
        ("event.x | matches('(')", "H209", "'('", 18),
        ("event.x | matches(event.y)", "H209", "event.y", 18),
        (r"event.x | matches('(a)\1')", "H209", r"'(a)\1'", 18),
        ("event.x | format_date('%Q')", "H209", "'%Q'", 22),
        ("now | format_date('%')", "H209", "'%'", 18),
        ("99999999999999999999", "H208", "99999999999999999999", 0),
        ("1 + 1e999", "H208", "1e999", 4),
        ("((((((((((1))))))))))", None, "", 0),
        ("(((((((((((1)))))))))))", "H208", "(", 10),
    ],
)
def test_a_bad_expression_is_refused_with_its_position(text, code, culprit, offset):
    if code is None:
        assert compile_expression(text)
        return
    problem, found = refused(text)
    assert (problem.code, found, problem.offset) == (code, culprit, offset)


@pytest.mark.parametrize(
    ("text", "culprit", "remedy"),
    [
        ("event.x && event.y", "&&", "write `and`"),
        ("event.x || event.y", "||", "write `or`"),
        ("!event.x", "!", "write `not`"),
        ("event.x === 1", "===", "write `==`"),
        ("event.x !== 1", "!==", "write `!=`"),
        ("event.x <> 1", "<>", "write `!=`"),
        ("event.x => 1", "=>", "write `>=`"),
        ("event.x = 1", "=", "to compare, write `==`"),
        ("event.x =", "=", "to compare, write `==`"),
        ("event.x | default(value=1)", "=", "write the value alone"),
        ("now - 30d", "30d", "write `days(30)`"),
        ("now - 1.5h > 0", "1.5h", "write `hours(1.5)`"),
        ("5m", "5m", "write `minutes(5)`"),
        ("2w", "2w", "write `days(2 * 7)`"),
        ("3x", "x", ""),
        ("profile.segments has 'vip'", "has", "'vip' in profile.segments"),
        ("profile.segments contains 'vip'", "contains", "'vip' in profile.segments"),
        ("event.x AND event.y", "AND", "write `and`"),
        ("NOT event.x", "NOT", "write `not`"),
        ("event.x equals 1", "equals", "write `==`"),
        ("event.x matches 'a'", "matches", "write `event.x | matches('a')`"),
        ("event.x ? 1 : 2", "?", "write `1 if event.x else 2`"),
        ("if event.x then 1", "if", "write `a if condition else b`"),
        ("event.x == null", "null", "write `event.x is none`"),
        ("event.x == None", "None", "write `event.x is none`"),
        ("event.x == nil", "nil", "write `event.x is none`"),
        ("event.x == none", "none", "write `event.x is none`"),
        ("event.x == TRUE", "TRUE", "write `true`"),
        ("event.x in", "", ""),
        ("payload@price", "@", "write a dotted path"),
        ("$.event.x", "$.", "write `event.x`"),
        ("evnt.x", "evnt", "did you mean `event`?"),
        ("proffle.traits.x", "proffle", "did you mean `profile`?"),
        ("properties.total", "properties", "write `event.properties`"),
        ("traits.revenue", "traits", "write `profile.traits`"),
        ("gold", "gold", "text needs quotes: 'gold'"),
        ("nodes.big-spender.out", "big-spender", "`nodes['big-spender']`"),
        ("event.properties.order-id == 'x'", "order-id", "`event.properties['order-id']`"),
        ("event.properties.a-b-c", "a-b-c", "`event.properties['a-b-c']`"),
        ("event.x | lowr", "lowr", "did you mean `lower`?"),
        ("event.x | tojson", "tojson", "did you mean `json`?"),
        ("event.x | contains('a')", "contains", "write `'a' in event.x`"),
        ("event.x is defind", "defind", "did you mean `defined`?"),
        ("event.x is in [1]", "is in", "write `event.x in [1]`"),
        ("lower(event.x)", "lower", "write `event.x | lower`"),
        ("len(event.x)", "len", "write `event.x | length`"),
        ("event.x.startswith('a')", "startswith", "write `event.x | starts_with('a')`"),
        ("event.x.get('a')", "get", "write `event.x.a`"),
        ("event.x | replace('a')", "replace", "write `value | replace(old, new)`"),
        ("event.x[1:2]", "event.x[1:2]", "write `event.x | slice(1, 2)`"),
        ("(1, 2)", "(1, 2)", "write `[1, 2]`"),
        ("event.x == {{ event.y }}", "{{", "without {{ }}"),
        ("{{ event.x }}", "{{", "without {{ }}"),
        (" {{ event.x }} == 1", "{{", "without {{ }}"),
        ("event.x }}", "}}", "without {{ }}"),
    ],
)
@pytest.mark.parametrize("compile", [compile_expression, compile_condition])
def test_common_mistakes_get_a_remedy(text, culprit, remedy, compile):
    problem, found = refused(text, compile)
    assert found == culprit
    assert remedy in problem.help


@pytest.mark.parametrize(
    ("text", "culprit", "message", "remedy"),
    [
        ("profile.segments == 'vip'", "profile.segments == 'vip'", "always false", "`'vip' in profile.segments`"),
        ("profile.segments != 'vip'", "profile.segments != 'vip'", "always true", "`'vip' not in profile.segments`"),
        ("'vip' == profile.segments", "'vip' == profile.segments", "always false", "`'vip' in profile.segments`"),
        (
            "event.x or profile.segments in ['a', 'b']",
            "profile.segments in ['a', 'b']",
            "never text: this is always false",
            "`'a' in profile.segments or 'b' in profile.segments`",
        ),
        (
            "profile.segments not in ['a', 'b']",
            "profile.segments not in ['a', 'b']",
            "always true",
            "`'a' not in profile.segments and 'b' not in profile.segments`",
        ),
        ("profile.ids == 'p-1'", "profile.ids == 'p-1'", "is a set", "`'p-1' in profile.ids`"),
        ("profile.segments > 2", "profile.segments > 2", "never a number", "`profile.segments | length`"),
        ("0 < profile.ids < 2", "0 < profile.ids", "always false", "`profile.ids | length`"),
        ("profile.segments == true", "profile.segments == true", "never true or false", "| length`"),
        ("event == 'order-paid'", "event == 'order-paid'", "is an object", "did you mean `event.type`?"),
        ("event.time == '2024-05-01'", "event.time == '2024-05-01'", "is a number", "('2024-05-01' | date)"),
        ("source != 'web-shop'", "source != 'web-shop'", "always true", "did you mean `source.id`?"),
        ("event.properties in ['a']", "event.properties in ['a']", "is an object", "`event.properties.NAME`"),
    ],
)
@pytest.mark.parametrize("compile", [compile_expression, compile_condition])
def test_a_comparison_that_always_has_the_same_result_is_refused(text, culprit, message, remedy, compile):
    problem, found = refused(text, compile)
    assert (problem.code, found) == ("H213", culprit)
    assert message in problem.message
    assert remedy in problem.help


@pytest.mark.parametrize(
    "text",
    [
        "'vip' in profile.segments",
        "profile.segments == ['vip']",
        "profile.segments in [['vip']]",
        "profile.segments == event.properties.segments",
        "profile.segments in event.properties.sets",
        "'total' in event.properties",
        "event.properties == {}",
        "event.type == 'order-paid'",
        "profile.traits.colours == 'red'",
        "profile.segments[0] == 'vip'",
        "profile.segments in []",
    ],
)
def test_a_comparison_that_may_have_either_result_is_allowed(text):
    assert compile_condition(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("1" * 5000, id="too long"),
        pytest.param("1+" * 300 + "1", id="too many words"),
        pytest.param("1+" * 100 + "1", id="a long sum"),
        pytest.param("not " * 100 + "1", id="many nots"),
        pytest.param("-" * 390 + "1", id="many minus signs"),
        pytest.param("[" * 30, id="open brackets"),
        pytest.param("1 if 1 else " * 90 + "1", id="many choices"),
        pytest.param("event" + "|default(1)" * 60, id="many filters"),
    ],
)
def test_size_and_nesting_have_limits(text):
    problem, _ = refused(text)
    assert problem.code == "H208"


def test_long_chains_of_logic_are_flat():
    assert compile_condition(" or ".join(["event.x"] * 100)).test({"event": {"x": 1}})


def test_no_word_has_two_remedies():
    assert not set(WORDS) & set(NO_ROOTS)


@given(st.text(max_size=80))
@example("'")
@example("\\")
@example("}}")
@example("-}}")
@example("{%")
@example("\r\n")
@example("'\r'")
@example("0x")
@example("1__0")
@example("a is")
@example("\ud800")
@example("''.a")
@example("()")
@example("a|")
def test_any_text_is_an_expression_or_refused(text):
    for problem in (problem_of(compile_condition, text), problem_of(compile_expression, text)):
        assert problem is None or (0 <= problem.offset <= len(text) and problem.length >= 1 and problem.message)


_WORDS = [
    *("event", ".", "x", "1", "'a'", "(", ")", "[", "]", "{", "}", ",", ":", "|", "~", "+", "-", "*", "**", "/", "=="),
    *("=", "!=", "<", "not", "and", "or", "in", "is", "defined", "none", "if", "else", "default", "lower", "min", "%"),
    *("true", ";", "{{", "}}", "now", "\n", "matches", "null", "-x", "event.a", "'"),
]


@given(st.lists(st.sampled_from(_WORDS), max_size=25).map(" ".join))
def test_any_words_are_an_expression_or_refused(text):
    problem = problem_of(compile_expression, text)
    assert problem is None or 0 <= problem.offset <= len(text)

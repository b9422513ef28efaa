from typing import Any

import pytest

from engine.language.absent import ABSENT, Absent, Unfit
from engine.language.functions import FILTERS, FUNCTIONS
from engine.problem import ProblemError
from tests.engine.language.expressions import compile_expression

NOON = 1_714_564_800_000  # 2024-05-01T12:00:00Z
HOUR = 3_600_000


def evaluated(text, x=None, **more):
    return compile_expression(text).evaluate({"event": {"x": x}, "now": NOON, **more})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'ÀB' | lower", "àb"),
        ("'ab' | upper", "AB"),
        ("\"they're o'neill's JOBS\" | title", "They're O'neill's Jobs"),
        ("'  a b ' | trim", "a b"),
        ("'abcdef' | truncate(3)", "abc"),
        ("'abc' | truncate(9)", "abc"),
        ("'a-b-c' | replace('-', '+')", "a+b+c"),
        ("'a, b' | split(', ')", ["a", "b"]),
        ("' a  b ' | split", ["a", "b"]),
        ("'order-paid' | starts_with('order')", True),
        ("'order-paid' | ends_with('order')", False),
        (r"'order 66' | matches('^order \d+$')", True),
        ("'ORDER' | matches('(?i)order')", True),
        ("'order' | matches('x')", False),
        ("5 | string", "5"),
        ("true | string", "true"),
        ("[1, 'a', none, 1.5] | json", '[1,"a",null,1.5]'),
        ("'a' | json", '"a"'),
        ("'abc' | hash", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("'abc' | hash('sha1')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("'abc' | hash('md5')", "900150983cd24fb0d6963f7d28e17f72"),
        ("'a%20b%2F%C3%BC%26+c%ff%' | urldecode", "a b/ü& c\ufffd%"),
        ('\'{"a": [1, 2.5, null, true, "x"]}\' | from_json', {"a": [1, 2.5, None, True, "x"]}),
        ("'123456789012345678901' | from_json", 123456789012345678901),
        ("'a b/ü&' | urlencode", "a%20b%2F%C3%BC%26"),
        ("'abc' | length", 3),
        ("[1, 2] | length", 2),
        ("{'a': 1} | length", 1),
        ("[1, 2] | first", 1),
        ("[1, 2] | last", 2),
        ("[1, 2, 3] | slice(1)", [2, 3]),
        ("[1, 2, 3] | slice(0, -1)", [1, 2]),
        ("'abc' | slice(1, 2)", "b"),
        ("['a', 1, true] | join('-')", "a-1-true"),
        ("['a', 'b'] | join", "ab"),
        ("[3, 1, 2] | min", 1),
        ("['b', 'a'] | max", "b"),
        ("[] | min | default(0)", 0),
        ("[] | first | default('x')", "x"),
        ("[1, 2.5] | sum", 3.5),
        ("[] | sum", 0),
        ("[3, 1, 2] | sort", [1, 2, 3]),
        ("[1, true, 1.0, 'a', 'a', [1], [1], none] | unique", [1, True, "a", [1], None]),
        ("{'a': 1, 'b': 2} | keys", ["a", "b"]),
        ("{'a': 1, 'b': 2} | values", [1, 2]),
        ("{'b': 1, 'a': none} | pairs", [{"key": "b", "value": 1}, {"key": "a", "value": None}]),
        ("{} | pairs", []),
        ("pow(2, 10)", 1024),
        ("pow(0.1, 2)", 0.01),
        ("pow(1.1, -1)", 0.9090909090909091),
        ("pow(9, 0.5)", 3),
        ("pow(-2, 3)", -8),
        ("pow(0.0, 0)", 1),
        ("pow(1, 9223372036854775807)", 1),
        ("exp(0)", 1),
        ("exp(1)", 2.718281828459045),
        ("log(1)", 0),
        ("log(1000, 10)", 3),
        ("log(8, 2)", 3),
        ("log(81, 3)", 4),
        ("sqrt(16)", 4),
        ("sqrt(2)", 1.4142135623730951),
        ("2.5 | round", 3),
        ("-2.5 | round", -3),
        ("2.675 | round(2)", 2.68),
        ("7 | round(2)", 7),
        ("1e300 | round(2)", 1e300),
        ("'12' | int", 12),
        ("' -7.9 ' | int", -7),
        ("7.9 | int", 7),
        ("'1e3' | float", 1000.0),
        ("'.5' | float", 0.5),
        ("3 | float", 3.0),
        ("-3 | abs", 3),
        ("'2024-05-01T12:00:00Z' | date", NOON),
        ("'2024-05-01T14:00:00+02:00' | date", NOON),
        ("'2024-05-01T12:00:00' | date", NOON),
        ("'2024-05-01' | date", NOON - 43_200_000),
        ("now | date", NOON),
        ("now | format_date('%Y-%m-%d %H:%M:%S %j %G-W%V-%u %y 100%%')", "2024-05-01 12:00:00 122 2024-W18-3 24 100%"),
        ("now - days(1)", NOON - 86_400_000),
        ("hours(0.5) + minutes(1)", 1_860_000),
        ("min(3, 1, 2)", 1),
        ("max('a', 'b')", "b"),
    ],
)
def test_a_function_returns_its_value(text, value):
    result = evaluated(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(("text", "value"), [
    ("'2024-05-01' | date", NOON - 14 * HOUR),
    ("'2024-05-01T12:00:00Z' | date", NOON),
    ("'2024-05-01' | date('America/New_York')", NOON - 8 * HOUR),
    ("'2024-03-31T02:30' | date", 1_711_848_600_000),  # the hour is skipped: 02:30 with the offset before is 03:30
    ("'2024-10-27T02:30' | date", 1_729_989_000_000),  # it occurs twice: the first one
    ("'01/05/2024 14:00' | parse_date('%d/%m/%Y %H:%M')", NOON),
    ("' 5/1/24 2:00 PM' | parse_date('%m/%d/%y %I:%M %p')", NOON),
    ("'01 May 2024 12:00:00.250 Z' | parse_date('%d %b %Y %H:%M:%S.%f %z')", NOON + 250),
    ("'01.05.2024' | parse_date('%d.%m.%Y', 'America/New_York')", NOON - 8 * HOUR),
    ("'31/03/2024 02:30' | parse_date('%d/%m/%Y %H:%M')", 1_711_848_600_000),
    ("now | format_date('%Y-%m-%d %H:%M %z')", "2024-05-01 14:00 +0200"),
    ("now | format_date('%H %z', 'America/St_Johns')", "09 -0230"),
    ("now | format_date('%H', event.x)", "17"),
    ("start_of('day', now)", NOON - 14 * HOUR),
    ("start_of('day', now, 'UTC')", NOON - 12 * HOUR),
    ("start_of('hour', now + 0.5, event.x) == start_of('minute', now)", False),
    ("start_of('month', now) | format_date('%d %H')", "01 00"),
])  # fmt: skip
def test_times_are_those_of_the_named_zone_else_of_the_project(text, value):
    assert evaluated(text, "Asia/Kathmandu", timezone="Europe/Berlin") == value


@pytest.mark.parametrize("text", [
    "now | format_date('%H', event.x)", "'2024-05-01' | date(event.x)", "'2024' | parse_date('%Y', event.x)",
    "start_of('day', now, event.x)",
])  # fmt: skip
@pytest.mark.parametrize("zone", ["Europe/Atlantis", 2, True, "../../etc/passwd"])
def test_data_that_is_no_time_zone_makes_a_function_fail(text, zone):
    with pytest.raises(Unfit):
        evaluated(text, zone)


def test_the_zone_of_the_project_is_not_recorded_as_a_value_that_the_author_reads():
    values: dict[str, Any] = {}
    scope = {"now": NOON, "timezone": "Europe/Berlin"}
    assert compile_expression("now | format_date('%H')").note(scope, values) == "14"
    assert values == {"now": NOON}


@pytest.mark.parametrize(
    "text",
    [
        *("1 | lower", "none is none | upper", "[1] | trim", "'a' | truncate('b')", "'a' | replace('', 'b')"),
        *("'a' | replace(1, 'b')", "'a' | split('')", "1 | starts_with('1')", "1 | matches('1')", "1 | length"),
        *(
            "'abc' | first",
            "{'a': 1} | slice(1)",
            "'abc' | slice(1.5)",
            "[none] | join",
            "'abc' | join",
            "[1, 'a'] | min",
        ),
        *("[true, 1] | max", "[1, 'a'] | sum", "[1, none] | sort", "'a' | unique", "[1] | keys", "1 | values"),
        *("'2' | round", "2 | round(-1)", "2.5 | round(99)", "'x' | int", "'1_000' | int", "'' | float", "true | int"),
        *(
            "'1e999' | float",
            "'nan' | float",
            "'9' | abs",
            "'yesterday' | date",
            *("'31/02/2024' | parse_date('%d/%m/%Y')", "'2024-01-01 x' | parse_date('%Y-%m-%d')"),
            *("20240101 | parse_date('%Y%m%d')", "'' | parse_date('%Y')"),
            "true | date",
            "1e18 | format_date('%Y')",
            "start_of('day', 1e18)",
            "start_of('year', 'now')",
        ),
        *(
            "days('1')",
            "days(1e300)",
            "min(1, 'a')",
            "max(true, 1)",
            "[9223372036854775807, 1] | sum",
            "[1e308, 1e308] | sum",
        ),
        "('1e20' | int)",
        *("'{' | from_json", "'NaN' | from_json", "'1e999' | from_json", "1 | from_json", "'' | from_json"),
        *("[1] | pairs", "'abc' | hash('crc')", "'abc' | hash(1)", "1 | urldecode"),
        *("pow(2, 64)", "pow(10, 1000000000)", "pow(-8, 0.5)", "pow(0, -1)", "pow(1e308, 2)", "pow('2', 2)"),
        *("exp(1000)", "exp('1')", "log(0)", "log(-1)", "log(2, 1)", "log(2, 0)", "sqrt(-1)", "sqrt(true)"),
    ],
)
def test_a_function_with_an_unfit_argument_fails(text):
    with pytest.raises(Unfit):
        evaluated(text)


@pytest.mark.parametrize(
    "text", ["event.x | lower", "'a' | replace(event.x, 'b')", "min(event.x, 1)", "[] | first", "[] | max"]
)
def test_a_function_with_an_absent_argument_is_absent(text):
    with pytest.raises(Absent):
        evaluated(text)


@pytest.mark.parametrize(
    "text",
    [
        "event.x | replace('a', 'bbbbbbbbbb')",
        "[event.x, event.x, event.x] | join",
        "[event.x, event.x, event.x] | json",
        "event.x | split('a')",
        "[event.x] | join(',') | urlencode | urlencode | upper | replace('A', 'BBBB')",
    ],
)
def test_a_function_with_a_result_that_is_too_large_fails(text):
    with pytest.raises(Unfit):
        evaluated(text, "a" * 30_000)


@pytest.mark.parametrize("text", ["event.x | hash", "event.x | urlencode", "event.x | matches('a')", "event.x | json"])
def test_half_characters_are_unfit(text):
    with pytest.raises(Unfit):
        evaluated(text, "\ud800")


def test_patterns_run_in_linear_time():
    assert evaluated("event.x | matches('(a+)+$')", "a" * 5000 + "b") is False


@pytest.mark.parametrize(
    ("pattern", "length", "fits"),
    [
        ("x$", 16_384, True),
        ("x$", 16_385, False),
        (r"(([a-z]{0,20}){0,20}){0,2}#", 4096, True),
        (r"(([a-z]{0,20}){0,20}){0,2}#", 16_384, False),
    ],
    ids=["short", "long", "a large pattern", "a large pattern and much text"],
)
def test_a_pattern_searches_only_as_much_text_as_its_size_allows(pattern, length, fits):
    text = f"event.x | matches('{pattern}')"
    if fits:
        assert evaluated(text, "a" * length) is False
    else:
        with pytest.raises(Unfit, match="truncate"):
            evaluated(text, "a" * length)


def test_deep_data_has_no_json():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for text in ("event.x | json", "event.x ~ ''", "[event.x] | unique"):
        with pytest.raises(Unfit):
            evaluated(text, deep)
    while deep:  # iteratively, as deleting it would recurse
        deep = deep.pop()


@pytest.mark.parametrize("function", [*FILTERS.values(), *FUNCTIONS.values()], ids=lambda function: function.usage)
def test_every_function_is_documented(function):
    assert function.text.split("\n")[0].endswith(".")
    assert function.name in function.usage
    assert function.min_arguments <= (function.max_arguments or function.min_arguments)


def test_the_usage_shows_the_arguments():
    assert FILTERS["replace"].usage == "value | replace(old, new)"
    assert FILTERS["join"].usage == "value | join(separator='')"
    assert FILTERS["format_date"].usage == "value | format_date(pattern, zone=timezone)"
    assert FILTERS["lower"].usage == "value | lower"
    assert FUNCTIONS["min"].usage == "min(first, second, ...)"
    assert FUNCTIONS["random_choice"].usage == "random_choice(items, name='')"
    assert FUNCTIONS["log"].usage == "log(number, base=e)"


def test_the_table_has_default_with_its_meaning():
    default = FILTERS["default"].call
    assert [default(value, 1) for value in (ABSENT, None, 0, "")] == [1, 1, 0, ""]


@pytest.mark.parametrize(("pattern", "reason"), [
    ("%d/%m", "it names no year"), ("%Y %Y", "`%Y` twice"), ("%Y %Q", "`%Q` is not a directive"),
    ("%Y%", "not a directive"), ("%Y %I", "go together"), ("%Y" + "x" * 100, "at most 100 characters"),
])  # fmt: skip
def test_a_pattern_that_reads_no_time_is_refused(pattern, reason):
    with pytest.raises(ProblemError, match=reason):
        compile_expression(f"event.x | parse_date('{pattern}')")

"""The meaning of queries, and the errors of bad ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ports.kinds import SEARCHABLE
from engine.problem import Problem, ProblemError
from engine.search.field import Field
from engine.search.parse import parse
from engine.search.query import EVERYTHING, AllOf, AnyOf, Begins, Exists, Is, Node, Not, Within
from tests.engine.search.random_queries import query

NOW = 1_715_000_000_123  # 2024-05-06T12:53:20.123Z
TYPE = Field("type")
TOTAL = Field("properties", "total", "free")
RECEIVED = Field("received", "", "moment")
DAY = 86_400_000
MAY = 1_714_521_600_000


def node(text: str, kind: str = "events") -> Node:
    return parse(text, SEARCHABLE[kind], NOW).node


def problem(text: str, kind: str = "events") -> Problem:
    with pytest.raises(ProblemError) as error:
        parse(text, SEARCHABLE[kind], NOW)
    return error.value.problem


def refused(text: str, kind: str) -> Problem | None:
    try:
        parse(text, SEARCHABLE[kind], NOW)
    except ProblemError as error:
        return error.problem
    return None


@pytest.mark.parametrize(("text", "expected"), [
    pytest.param("", EVERYTHING, id="nothing asks for everything"),
    pytest.param("  \t", EVERYTHING, id="so does space"),
    pytest.param("*", EVERYTHING, id="so does a star"),
    pytest.param("ann", Is(None, ("ann",)), id="a word"),
    pytest.param('"blue sky"', Is(None, ("blue sky",)), id="a phrase"),
    pytest.param("type:order-paid", Is(TYPE, ("order-paid",)), id="a word in a field"),
    pytest.param("type:order-*", Begins(TYPE, "order-"), id="the beginning of a word"),
    pytest.param("type:*", Exists(TYPE), id="any value"),
    pytest.param("type:a\\*", Is(TYPE, ("a*",)), id="a star that is meant"),
    pytest.param('type:"a*"', Is(TYPE, ("a*",)), id="a star in quotes"),
    pytest.param('type:"a \\"b\\" \\\\"', Is(TYPE, ('a "b" \\',)), id="escapes in quotes"),
    pytest.param("properties.total:12", Is(TOTAL, ("12", "12.0")), id="a whole number also with a fraction of zero"),
    pytest.param("properties.total:12.50", Is(TOTAL, ("12.5", "12.50")), id="a number also as JSON writes it"),
    pytest.param('properties.total:"12"', Is(TOTAL, ("12",)), id="a number in quotes is a text"),
    pytest.param("properties.total:-5", Is(TOTAL, ("-5", "-5.0")), id="a negative number"),
    pytest.param("type:12", Is(TYPE, ("12",)), id="a number in a field of words"),
    pytest.param("properties.a\\ b:x", Is(Field("properties", "a b", "free"), ("x",)), id="an escaped name"),
    pytest.param("properties:x", Is(Field("properties", "", "free"), ("x",)), id="any property"),
    pytest.param("a b", AllOf((Is(None, ("a",)), Is(None, ("b",)))), id="words beside one another"),
    pytest.param("a AND b", AllOf((Is(None, ("a",)), Is(None, ("b",)))), id="AND"),
    pytest.param("+a -b", AllOf((Is(None, ("a",)), Not(Is(None, ("b",))))), id="plus and minus"),
    pytest.param("NOT a", Not(Is(None, ("a",))), id="NOT"),
    pytest.param(
        "a OR b AND c", AnyOf((Is(None, ("a",)), AllOf((Is(None, ("b",)), Is(None, ("c",)))))), id="AND before OR"
    ),
    pytest.param(
        "a b OR c", AllOf((Is(None, ("a",)), AnyOf((Is(None, ("b",)), Is(None, ("c",)))))), id="OR before mere space"
    ),
    pytest.param("type:(a OR b)", AnyOf((Is(TYPE, ("a",)), Is(TYPE, ("b",)))), id="a field of a group"),
    pytest.param("properties.total:>5", Within(TOTAL, 5, None, over=True), id="more than"),
    pytest.param("properties.total:<=5.5", Within(TOTAL, None, 5.5), id="at most"),
    pytest.param('properties.total:>"-5"', Within(TOTAL, -5, None, over=True), id="more than a negative number"),
    pytest.param("properties.total:[-5 TO *]", Within(TOTAL, -5, None), id="a range with one end"),
    pytest.param("properties.total:{1 TO 5]", Within(TOTAL, 1, 5, over=True), id="a range without its lower end"),
])  # fmt: skip
def test_a_query_has_a_meaning(text: str, expected: Node) -> None:
    assert node(text) == expected


@pytest.mark.parametrize(("text", "low", "high"), [
    pytest.param("received:2024-05", MAY, MAY + 31 * DAY - 1, id="a month is all of it"),
    pytest.param("received:2024-05-01", MAY, MAY + DAY - 1, id="a day is all of it"),
    pytest.param("received:>2024-05", MAY + 31 * DAY, None, id="after a month begins when it is over"),
    pytest.param("received:>=2024-05", MAY, None, id="from a month on"),
    pytest.param("received:<2024-05", None, MAY - 1, id="before a month"),
    pytest.param("received:<=2024-05", None, MAY + 31 * DAY - 1, id="until the end of a month"),
    pytest.param("received:[2024-05-01 TO 2024-05-02]", MAY, MAY + 2 * DAY - 1, id="two days"),
    pytest.param("received:{2024-04-30 TO 2024-05-02}", MAY, MAY + DAY - 1, id="between two days"),
    pytest.param("received:>now-1h", NOW - 3_600_000 + 1, None, id="the last hour"),
    pytest.param("received:now-1d/d", MAY + 4 * DAY, MAY + 5 * DAY - 1, id="yesterday"),
    pytest.param("received:now/w", MAY + 5 * DAY, MAY + 12 * DAY - 1, id="this week, from Monday"),
    pytest.param("received:>=now-1M/M", MAY - 30 * DAY, None, id="since last month"),
    pytest.param("received:>=2024-05-31||-3M/M", MAY - 90 * DAY, None, id="reckoned from a date"),
    pytest.param("received:2024-05-01T12:30", MAY + 45_000_000, MAY + 45_059_999, id="a minute"),
    pytest.param("received:2024-05-01T12:30:15.5Z", MAY + 45_015_500, MAY + 45_015_500, id="a millisecond"),
    pytest.param('received:"2024-05-01T02:00+02:00"', MAY, MAY + 59_999, id="another zone"),
    pytest.param("received:>=1714521600000", MAY, None, id="milliseconds"),
    pytest.param("received:[* TO 9999]", None, 253_402_300_799_999, id="the end of time"),
])  # fmt: skip
def test_a_time_means_the_span_of_its_precision(text: str, low: int | None, high: int | None) -> None:
    assert node(text) == Within(RECEIVED, low, high)


@pytest.mark.parametrize(("text", "code", "at", "length", "help"), [
    pytest.param("typ:a", "unknown-field", 0, 3, "did you mean `type`?", id="a field with a slip"),
    pytest.param("a total:5", "unknown-field", 2, 5, "did you mean `properties.total`?", id="a bare property"),
    pytest.param("property.total:5", "unknown-field", 0, 14, "did you mean `properties.total`?", id="a slip in a root"),
    pytest.param("type.x:5", "unknown-field", 0, 6, "events have `id`", id="nothing below a word"),
    pytest.param("_exists_:type", "unknown-field", 0, 8, "`type:*`", id="exists as elsewhere"),
    pytest.param("properties.*:x", "wildcard", 0, 12, "`properties:red`", id="a wildcard in a name"),
    pytest.param("type:or*er", "wildcard", 7, 1, "escape it", id="a wildcard inside"),
    pytest.param("type:\\*a*b", "wildcard", 8, 1, "escape it", id="a wildcard behind an escaped one"),
    pytest.param("typ?", "wildcard", 3, 1, "escape it", id="a question mark"),
    pytest.param("received:2024*", "wildcard", 9, 5, "all of May", id="the beginning of a time"),
    pytest.param("type:ordr~", "unsupported", 9, 1, "`ann*`", id="fuzziness"),
    pytest.param('"a b"~2', "unsupported", 5, 2, "`ann*`", id="proximity"),
    pytest.param("a~1.2.3", "unsupported", 1, 6, "`ann*`", id="fuzziness that is no number"),
    pytest.param("type:a^2", "unsupported", 6, 2, "newest first", id="a boost"),
    pytest.param("type:/ord.*/", "unsupported", 5, 7, "quotes", id="a pattern"),
    pytest.param("properties.url:http://x", "unsupported", 20, 2, "quotes", id="an address"),
    pytest.param("type:a:b", "colon", 5, 2, "quotes", id="a colon in a value"),
    pytest.param("received:12:30", "colon", 9, 3, "quotes", id="a time of day"),
    pytest.param("type:>5", "range", 5, 1, "ranges are for `received`", id="words by size"),
    pytest.param(">5", "range", 0, 1, "`received:>now-1d`", id="a comparison of nothing"),
    pytest.param("[a TO b]", "range", 0, 1, "`received:>now-1d`", id="a range of nothing"),
    pytest.param("properties.total:>abc", "no-number", 18, 3, "not compared by size", id="more than a text"),
    pytest.param("received:soon", "no-time", 9, 4, "`now-1h`", id="no time"),
    pytest.param("received:[2024-13 TO *]", "no-time", 10, 7, "`now-1h`", id="no month"),
    pytest.param("received:now+999999y", "no-time", 9, 11, "`now-1h`", id="beyond all years"),
    pytest.param("a and b", "capitals", 2, 3, "write AND", id="and in small letters"),
    pytest.param("a || b", "capitals", 2, 2, "write OR", id="or in signs"),
    pytest.param("a !b", "capitals", 2, 1, "write NOT", id="not in signs"),
    pytest.param("!type:x", "capitals", 0, 1, "write NOT", id="not in signs before a field"),
    pytest.param("(a OR b", "syntax", 7, 1, "add `)`", id="an open parenthesis"),
    pytest.param("a)", "syntax", 1, 1, "no `(`", id="a closing parenthesis"),
    pytest.param("a AND", "syntax", 5, 1, "need a condition", id="an end too early"),
    pytest.param("type:", "syntax", 5, 1, "needs a value", id="a field without a value"),
    pytest.param("OR a", "syntax", 0, 2, "missing beside it", id="OR with one side"),
    pytest.param('type:"a', "syntax", 5, 1, "end it", id="an open quote"),
    pytest.param("a \\", "syntax", 2, 1, "`\\\\`", id="a lone backslash"),
    pytest.param("received:>-5", "syntax", 10, 1, "quotes", id="more than a minus"),
    pytest.param("\udc80", "no-text", 0, 1, "", id="no character"),
    pytest.param("x" * 2001, "too-long", 2000, 1, "", id="too many characters"),
    pytest.param("x " * 101, "too-long", 200, 1, "", id="too many words"),
    pytest.param("(" * 60 + "a" + ")" * 60, "too-deep", 21, 1, "", id="too deep"),
])  # fmt: skip
def test_a_bad_query_is_refused_with_its_position(text: str, code: str, at: int, length: int, help: str) -> None:
    error = problem(text)
    assert (error.code, error.offset, error.length) == (f"query.{code}", at, length)
    assert help in error.help


@given(
    st.text(max_size=60) | st.text("ab:*\"\\()[]{}<>=+-/~^ TONRAD.0129|&!?'\t", max_size=60),
    st.sampled_from(sorted(SEARCHABLE)),
)
def test_any_text_is_a_query_or_refused_with_a_position(text: str, kind: str) -> None:
    error = refused(text, kind)
    assert error is None or (error.message and error.offset is not None and 0 <= error.offset <= len(text))


@given(st.randoms(use_true_random=False), st.sampled_from(sorted(SEARCHABLE)))
def test_the_random_queries_are_valid(rng, kind: str) -> None:
    parse(query(rng, kind), SEARCHABLE[kind], NOW)

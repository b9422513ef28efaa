from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.language.absent import Absent, Unfit, Unusable
from engine.language.expression import Read
from engine.language.value import compile_value
from tests.engine.language.scopes import SCOPE, expressions, json_data, scopes
from tests.fast import cases


def compiled(data, **options):
    value, problems = compile_value(data, **options)
    assert problems == []
    return value


def problem_of(data, **options):
    _, problems = compile_value(data, **options)
    assert len(problems) == 1
    return problems[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("{{ event.properties.total }}", 5, id="a whole template keeps its type"),
        pytest.param("  {{ event.properties.total }}\n", 5, id="white space around it does not count"),
        pytest.param("{{event.properties.total}}", 5, id="no spaces are needed"),
        pytest.param("{{ event.properties.nothing }}", None, id="null is a value"),
        pytest.param("{{ profile.segments }}", ("big", "vip"), id="a set"),
        pytest.param("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}, id="an object's brackets are no end"),
        pytest.param("{{ '}}' }}", "}}", id="a quoted end is no end"),
        pytest.param("{{ event.properties.total }}{{ event.properties.total }}", "55", id="two templates are text"),
        pytest.param("Hello {{ event.properties.name }}!", "Hello Ann!", id="text"),
        pytest.param("{{ event.properties.total }} items", "5 items", id="a whole number"),
        pytest.param("{{ event.properties.price }} EUR", "2.5 EUR", id="a fraction"),
        pytest.param("{{ event.properties.total / 5 }} EUR", "1.0 EUR", id="a quotient is a fraction"),
        pytest.param("so {{ event.properties.yes }}", "so true", id="a boolean is not Python's"),
        pytest.param("so {{ event.properties.tags }}", 'so ["new","gift"]', id="a list is JSON"),
        pytest.param("so {{ profile.segments }}", 'so ["big","vip"]', id="a set is JSON"),
        pytest.param(
            "so {{ event.properties.address }}", 'so {"city":"Wrocław","zip":"50-001"}', id="an object is JSON"
        ),
        pytest.param("{{ '{{' }} and {{ '{%' }}", "{{ and {%", id="the signs themselves"),
        pytest.param("a\r\n{{ event.properties.total }}\r\nb", "a\r\n5\r\nb", id="newlines stay as they are"),
        pytest.param("50 % }} { % $.x $$.", "50 % }} { % $.x $$.", id="literal text"),
        pytest.param("$$.event.type", "$.event.type", id="an escaped dollar"),
        pytest.param("$.event.type", "order-paid", id="a JSONPath"),
        pytest.param("$", "$", id="a lone dollar"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_text_is_evaluated(text, value):
    assert compiled(text).evaluate(SCOPE) == value


def test_event_data_is_not_evaluated_again():
    scope = {"event": {"x": "{{ profile.pii }}", "y": "$.profile.pii"}}
    assert compiled("{{ event.x }}").evaluate(scope) == "{{ profile.pii }}"
    assert compiled("a {{ event.x }} {{ event.y }}").evaluate(scope) == "a {{ profile.pii }} $.profile.pii"


def test_templates_in_objects_and_lists_are_evaluated():
    value = compiled(
        {"a": ["{{ event.properties.total }}", 1, None], "b": {"c": "x", "d": "$.event.properties.tags[*]"}}
    )
    assert not value.static
    assert value.evaluate(SCOPE) == {"a": [5, 1, None], "b": {"c": "x", "d": ["new", "gift"]}}
    assert value.reads == (
        (("a", 0), Read(("event", "properties", "total"), 3, 22, False)),
        (("b", "d"), Read(("event", "properties", "tags"), 0, 26, True)),
    )


@pytest.mark.parametrize(
    ("data", "literal"),
    [
        (5, 5),
        ("x", "x"),
        (None, None),
        (True, True),
        ({"a": ["b", "$$.c"]}, {"a": ["b", "$.c"]}),
        ([], []),
        ({1: 2}, {1: 2}),
    ],
)
def test_data_without_templates_is_static(data, literal):
    value = compiled(data)
    assert value.static
    assert value.literal == literal
    assert value.evaluate({}) == literal
    assert value.reads == ()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{{ event.properties.missing }}", "event.properties.missing"),
        ("Hello {{ event.properties.missing }}", "event.properties.missing"),
        ("Hello {{ event.properties.nothing }}", "event.properties.nothing"),
        ("Hello {{ session }}", "session"),
        ("$.event.properties.missing", "$.event.properties.missing"),
    ],
)
def test_an_absent_value_fails_with_its_path(text, path):
    with pytest.raises(Absent) as absent:
        compiled({"deep": [text]}).evaluate(SCOPE)
    assert absent.value.path == path


@pytest.mark.parametrize("text", ["{{ event.t }}{{ event.t }}", "x{{ event.big }}", "{{ event.t ~ event.t }}"])
def test_a_text_that_is_too_long_fails(text):
    scope = {"event": {"t": "x" * 40_000, "big": ["x" * 1000] * 70}}
    with pytest.raises(Unfit):
        compiled(text).evaluate(scope)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(float("nan"), id="not a number"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(10**5000, id="5001 digits"),
        pytest.param(object(), id="an object of Python"),
        pytest.param({"a": object()}, id="an object of Python inside"),
        pytest.param(["\ud800"], id="half a character"),
    ],
)
def test_a_value_that_cannot_be_written_as_text_is_unfit(data):
    with pytest.raises(Unfit):
        compiled("x {{ event.x }}").evaluate({"event": {"x": data}})


def test_values_read_are_reported_even_if_evaluation_fails():
    value = compiled(
        {"a": "{{ event.properties.missing }}", "b": "x {{ profile.id }}", "c": "$.event.nope", "d": "$.now"}
    )
    assert value.source_values(SCOPE) == {
        "event.properties.missing": "absent",
        "profile.id": "p-1",
        "$.event.nope": "absent",
        "$.now": SCOPE["now"],
    }


@pytest.mark.parametrize(
    ("text", "code", "culprit"),
    [
        pytest.param("Hello {{ evnt.x }}", "H202", "evnt", id="an unknown root"),
        pytest.param("{{ event.x }} {{ event.y | lowr }}", "H203", "lowr", id="in the second template"),
        pytest.param("a {{ event.x", "H201", "{{", id="never closed"),
        pytest.param("a {{ event.x ~ 'b }} c", "H201", "'", id="an open quote"),
        pytest.param("a {{ (event.x }} c", "H201", "(", id="an open bracket"),
        pytest.param("a {{ }} c", "H201", "{{ }}", id="an empty template"),
        pytest.param("a {{ event.x + }} c", "H201", " ", id="an unfinished template"),
        pytest.param("a {% if event.x %}", "H205", "{%", id="a statement"),
        pytest.param("a {# note #}", "H205", "{#", id="a comment"),
        pytest.param("a {{- event.x }}", "H205", "{{-", id="white space control"),
        pytest.param("a {{ event.x -}} b", "H205", "-}}", id="white space control at the end"),
        pytest.param("{% raw %}{{ x }}{% endraw %}", "H205", "{%", id="raw"),
        pytest.param("a {{ " + "event.x ~ " * 500 + "1 }}", "H208", None, id="too long"),
        pytest.param("{{\revent.x }}", "H201", "\r", id="a carriage return"),
        pytest.param("{{ order.total }} $", "H202", "order", id="a root of another language"),
        pytest.param("$.evnt.x", "H202", "evnt", id="an unknown root in a JSONPath"),
        pytest.param("$.50 off", "H207", None, id="money"),
    ],
)
def test_a_bad_text_is_refused_with_its_position(text, code, culprit):
    problem = problem_of({"a": [0, text]})
    assert (problem.code, problem.path) == (code, ("a", 1))
    if culprit is not None:
        assert text[problem.offset : problem.offset + problem.length] == culprit


def test_every_bad_text_is_reported():
    _, problems = compile_value({"a": "{{ evnt }}", "b": ["{{ x", "$.y"]})
    assert [(p.code, p.path) for p in problems] == [("H202", ("a",)), ("H201", ("b", 0)), ("H202", ("b", 1))]


def test_a_template_in_a_key_is_refused():
    problem = problem_of({"traits.{{ event.x }}": 1})
    assert (problem.code, problem.on, problem.path) == ("H206", "key", ("traits.{{ event.x }}",))


@pytest.mark.parametrize(
    ("text", "offset", "kind"), [("a {{ event.x }}", 2, "templates"), ("$.event.x", 0, "JSONPath")]
)
def test_a_template_is_refused_where_none_is_allowed(text, offset, kind):
    problem = problem_of({"a": text}, templates=False)
    assert (problem.code, problem.path, problem.offset) == ("H206", ("a",), offset)
    assert problem.message.startswith(f"no {kind} here")


def test_literals_are_allowed_where_templates_are_not():
    assert compiled({"a": "$$.x", "b": 5}, templates=False).literal == {"a": "$.x", "b": 5}


def test_data_that_nests_too_deep_is_refused():
    data: object = "x"
    for _ in range(3000):
        data = [data]
    assert problem_of(data).code == "H208"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("/a/{{ event.x }}/b", "/a/<../>/b"),
        ("{{ event.x }}", "<../>"),
        ("$.event.x", "<../>"),
        ("{{ event.y }} {{ event.z }}", "<true> <[1]>"),
        ("/a", "/a"),
    ],
)
def test_only_evaluated_parts_are_passed_to_the_part_writer(text, written):
    value = compiled(text, parts=lambda part: f"<{part}>")
    assert value.evaluate({"event": {"x": "../", "y": True, "z": [1]}}) == written


def test_half_characters_are_unfit_for_a_part_writer():
    value = compiled("{{ event.x }}", parts=quote)
    with pytest.raises(Unfit):
        value.evaluate({"event": {"x": "\ud800"}})


def test_only_the_given_roots_are_known():
    assert problem_of("{{ profile.id }}", roots=frozenset({"event"})).code == "H202"
    assert problem_of("$.profile.id", roots=frozenset({"event"})).code == "H202"


@given(st.lists(expressions.map("{{{{ {} }}}}".format) | st.sampled_from(["a ", "}}", "\n"]), max_size=3), scopes)
@settings(max_examples=cases(200))
def test_a_template_returns_a_value_or_raises_unusable(pieces, scope):
    value, problems = compile_value("".join(pieces))
    assert problems == []
    assert all(isinstance(text, str) for text in value.source_values(scope))
    with suppress(Unusable):
        value.evaluate(scope)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["{{", "}}", "{%", " event", ".x", "'", "-", "$.", "\r"])).map("".join)
)
def test_any_text_is_a_value_or_a_problem(text):
    _, problems = compile_value(text)
    assert all(problem.offset is None or 0 <= problem.offset <= len(text) for problem in problems)


@given(json_data)
def test_any_data_is_a_value_or_has_problems(data):
    value, problems = compile_value(data)
    assert problems == [] or not value.static or problems[0].code

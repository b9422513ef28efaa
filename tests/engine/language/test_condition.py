import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.language.expression import Explanation, Read, compile_condition
from engine.problem import ProblemError
from tests.engine.language.scopes import SCOPE, expressions, scopes
from tests.fast import cases


def holds(text, scope=SCOPE):
    condition = compile_condition(text)
    result = condition.test(scope)
    assert condition.explain(scope).value is result
    return result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("event.properties.total > 0 and 'vip' not in profile.segments", False),
        ("event.properties.total == 5", True),
        ("event.properties.total == 5.0", True),
        ("5.0 == event.properties.total", True),
        ("event.properties.total != 5", False),
        ("event.properties.total >= 5 and event.properties.total <= 5", True),
        ("event.properties.total > 5 or event.properties.total < 5", False),
        ("1 < event.properties.total < 10", True),
        ("1 < event.properties.total < 3", False),
        ("event.properties.name == 'Ann'", True),
        ("event.properties.name != 'Ann'", False),
        ("event.properties.name < 'Bob'", True),
        ("event.properties.name in ['Ann', 'Bob']", True),
        ("event.properties.name not in ['Ann', 'Bob']", False),
        ("event.properties.total in [1, 5, 'x']", True),
        ("event.properties.total in ['1', '5']", False),
        ("'vip' in profile.segments", True),
        ("'nn' in event.properties.name", True),
        ("'city' in event.properties.address", True),
        ("'Wrocław' in event.properties.address", False),
        ("1 in event.properties.numbers", True),
        ("true in event.properties.numbers", False),
        ("event.properties.tags == ['new', 'gift']", True),
        ("profile.segments == ['big', 'vip']", True),
        ("event.properties.address == {'zip': '50-001', 'city': 'Wrocław'}", True),
        ("event.properties.address == {'zip': '50-001'}", False),
        ("[true] == [1]", False),
        ("[event.properties.nothing] == [event.properties.nothing]", True),
        ("event.properties['order-id'] == 'o-1'", True),
        ("event.properties.items[1].sku == 'b'", True),
        ("event.properties.items[-1].sku == 'b'", True),
        ("event.properties.items.0.sku == 'a'", True),
        ("event.properties.address[event.properties.key] == 'Wrocław'", True),
        ("event.properties.total + 1 > 5", True),
        ("not event.properties.no", True),
        ("event.properties.total if event.properties.yes else false", True),
        ("(event.properties.no or event.properties.name) == 'Ann'", True),
    ],
)
def test_a_condition_compares_values(text, result):
    assert holds(text) is result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("event.properties.yes", True),
        ("event.properties.no", False),
        ("event.properties.zero", False),
        ("event.properties.total", True),
        ("event.properties.empty", False),
        ("event.properties.none_at_all", False),
        ("event.properties.tags", True),
        ("profile.segments", True),
        ("event", True),
        ("'text'", True),
        ("true", True),
        ("False", False),
    ],
)
def test_a_bare_value_is_true_unless_empty(text, result):
    assert holds(text) is result


@pytest.mark.parametrize(
    "missing", ["event.properties.missing", "event.properties.nothing", "session.id", "source.x.y"]
)
@pytest.mark.parametrize(
    ("form", "result"),
    [
        ("{}", False),
        ("not {}", True),
        ("{} == 5", False),
        ("{} != 5", True),
        ("{} == 'x'", False),
        ("{} != 'x'", True),
        ("{} == true", False),
        ("{} != true", True),
        ("{} == {}", False),
        ("{} != {}", True),
        ("{} < 5", False),
        ("{} >= 5", False),
        ("5 < {}", False),
        ("{} < 'x'", False),
        ("{} in ['x']", False),
        ("{} not in ['x']", True),
        ("{} in [1, 'x']", False),
        ("{} not in [1, 'x']", True),
        ("'x' in {}", False),
        ("'x' not in {}", True),
        ("1 in {}", False),
        ("1 not in {}", True),
        ("{} + 1 > 0", False),
        ("{} + 1 != 0", True),
        ("{} | lower == 'x'", False),
        ("{} | lower != 'x'", True),
        ("{} | default(3) == 3", True),
        ("{} is none", True),
        ("{} is not none", False),
        ("{} and true", False),
        ("{} or true", True),
        ("1 < {} < 5", False),
        ("({} if true else 1) == 1", False),
        ("'x' if {} else ''", False),
    ],
)
def test_absent_and_null_equal_nothing(form, result, missing):
    assert holds(form.replace("{}", missing)) is result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("event.properties.missing is defined", False),
        ("event.properties.missing is not defined", True),
        ("event.properties.nothing is defined", True),
        ("session is defined", True),
        ("source is defined", False),
        ("(event.properties.missing + 1) is defined", False),
        ("not event.properties.missing is defined", True),
    ],
)
def test_null_is_defined_and_absent_is_not(text, result):
    assert holds(text) is result


@pytest.mark.parametrize(
    "text",
    [
        "event.properties.name > 5",
        "event.properties.total < 'x'",
        "event.properties.yes > 0",
        "event.properties.yes >= true",
        "event.properties.yes == 1",
        "event.properties.tags < 5",
        "event.properties.tags > ['a']",
        "'a' in event.properties.total",
        "1 in event.properties.name",
        "event.properties.tags in event.properties.address",
    ],
)
def test_a_comparison_of_different_kinds_is_false(text):
    assert holds(text) is False


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("event.properties.name * 2 > 3", False),
        ("event.properties.name * 2 != 3", False),
        ("not event.properties.name * 2", True),
        ("event.properties.name * 2 > 3 or event.type == 'order-paid'", True),
        ("event.properties.total / 0 == 1", False),
        ("event.properties.total | lower", False),
        ("(event.properties.total | lower) is defined", False),
        ("event.properties.yes + 1", False),
    ],
)
def test_an_operator_with_an_unfit_operand_is_false(text, result):
    assert holds(text) is result


def test_an_explanation_has_every_value_by_its_text():
    condition = compile_condition(
        "event.properties['order-id'] == 'o-2' or profile.traits.rank > event.properties.total"
    )
    assert condition.explain(SCOPE) == Explanation(
        False,
        {"event.properties['order-id']": "o-1", "profile.traits.rank": "absent", "event.properties.total": 5},
    )


def test_an_explanation_has_the_values_of_computed_keys():
    condition = compile_condition("event.properties.address[event.properties.key] == 'Kraków'")
    assert condition.explain(SCOPE).values == {
        "event.properties.address": {"city": "Wrocław", "zip": "50-001"},
        "event.properties.key": "city",
        "event.properties.address[event.properties.key]": "Wrocław",
    }


def test_an_explanation_leaves_out_values_that_were_not_needed():
    condition = compile_condition("event.properties.no and profile.id == 'p-1'")
    assert condition.explain(SCOPE).values == {"event.properties.no": False}


def test_the_reads_of_a_condition_have_positions_and_are_handled():
    condition = compile_condition("nodes.crm.out.tier in event.properties['order-id'][0]")
    assert condition.reads == (
        Read(("nodes", "crm", "out", "tier"), 0, 18, True),
        Read(("event", "properties", "order-id", "0"), 22, 31, True),
    )


def test_only_the_given_roots_are_known():
    with pytest.raises(ProblemError) as error:
        compile_condition("profile.id == 'p'", frozenset({"event"}))
    problem = error.value.problem
    assert (problem.code, problem.offset, problem.length) == ("H202", 0, 7)
    assert problem.help == "known here: `event`"


@given(expressions, scopes)
@settings(max_examples=cases(300))
def test_no_data_makes_a_condition_raise(text, scope):
    condition = compile_condition(text)
    result = condition.test(scope)
    assert isinstance(result, bool)
    assert condition.explain(scope).value is result


@given(st.sampled_from(["event == event", "event != profile", "event in [event]", "'a' in event"]))
def test_deep_data_does_not_overflow(text):
    deep: object = 1
    for _ in range(5000):
        deep = [deep]
    assert isinstance(compile_condition(text).test({"event": deep, "profile": deep}), bool)

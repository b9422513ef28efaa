import pytest

from engine.language.absent import Absent
from engine.language.expression import compile_condition
from engine.language.path import ROOTS
from engine.problem import ProblemError
from tests.engine.language.expressions import compile_expression

NOON = 1_714_564_800_000  # 2024-05-01T12:00:00Z
SCOPE = {
    "profile": {"counters": {"orders": {"2024-05-01T11:58": 2, "2024-05-01T09": 1, "2024-04-12": 4}}, "traits": {}},
    "now": NOON,
    "written": lambda scope, path: NOON - 5 if path == ("traits", "tier") else None,
}


@pytest.mark.parametrize(("text", "value"), [
    pytest.param("counted('orders', '5m')", 2, id="minutes"),
    pytest.param("counted('orders', '24h')", 3, id="hours"),
    pytest.param("counted('orders', '30d')", 7, id="days"),
    pytest.param("counted('returns', '30d')", 0, id="a counter without counts"),
    pytest.param("counted('orders', '7d') * 10", 30, id="a number like others"),
    pytest.param("changed_at('traits.tier')", NOON - 5, id="the time of a trait"),
    pytest.param("changed_at('profile.traits.tier')", NOON - 5, id="with its root"),
    pytest.param("changed_at('traits.plan') | default('never')", "never", id="absent"),
])  # fmt: skip
def test_a_function_computes_its_value_from_the_scope(text, value):
    assert compile_expression(text).evaluate(SCOPE) == value


def test_a_function_of_the_profile_is_absent_without_a_profile():
    assert not compile_condition("counted('orders', '7d') == 0").test({"profile": None, "now": NOON})
    with pytest.raises(Absent, match="counted"):
        compile_expression("counted('orders', '7d')").evaluate({"profile": None, "now": NOON})


def test_an_explanation_has_the_value_of_a_function_under_its_text():
    explanation = compile_condition("counted('orders', '7d') > 2 and changed_at('traits.plan') < now").explain(SCOPE)
    assert explanation.values == {"counted('orders', '7d')": 3, "changed_at('traits.plan')": "absent", "now": NOON}
    assert explanation.value is False


def test_a_function_of_the_profile_is_a_read_of_the_profile():
    (read,) = compile_condition("counted('orders', '7d') > 2").reads
    assert (read.path, read.function, read.offset) == (("profile", "counters", "orders"), "counted", 0)


@pytest.mark.parametrize(("text", "message"), [
    pytest.param("counted('orders')", "takes 2 arguments", id="too few"),
    pytest.param("counted(event.name, '7d')", "only quoted text", id="a computed name"),
    pytest.param("counted('orders', 7)", "only quoted text", id="a number as window"),
    pytest.param("counted('orders', '7 days')", "is not a window", id="words as window"),
    pytest.param("counted('orders', '10s')", "from 1m to 400d", id="too short"),
    pytest.param("counted('orders', '900d')", "from 1m to 400d", id="too long"),
    pytest.param("counted('Orders!', '7d')", "is not a counter's name", id="a bad name"),
    pytest.param("changed_at('event.type')", "is not a field of the profile", id="of the event"),
    pytest.param("changed_at('traits')", "is not a field of the profile", id="a whole root"),
    pytest.param("changed_at('traits..x')", "a name is missing", id="a bad path"),
])  # fmt: skip
def test_bad_arguments_of_a_function_of_the_profile_are_refused(text, message):
    with pytest.raises(ProblemError) as refused:
        compile_condition(text)
    assert message in refused.value.problem.message


def test_a_function_of_the_profile_is_unknown_without_that_root():
    with pytest.raises(ProblemError, match="not known here"):
        compile_condition("counted('orders', '7d') > 2", ROOTS - {"profile"})

import pytest
from hypothesis import given, settings

from engine.language.absent import Absent, Unfit, Unusable
from engine.language.expression import Read
from tests.engine.language.expressions import compile_expression
from tests.engine.language.scopes import SCOPE, expressions, scopes
from tests.fast import cases


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("event.properties.total", 5),
        ("event.properties.nothing", None),
        ("profile.segments", ("big", "vip")),
        ("session", None),
        ("now", 1_700_000_000_000),
        ("nodes.crm.out.tier", "gold"),
        ("event.properties.address.city", "Wrocław"),
        ("event.properties.total + 1", 6),
        ("event.properties.total - 0.5", 4.5),
        ("event.properties.total * event.properties.price", 12.5),
        ("event.properties.total / 2", 2.5),
        ("event.properties.total // 2", 2),
        ("event.properties.total % 2", 1),
        ("-event.properties.total", -5),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("10 - 4 - 3", 3),
        ("event.properties.name + '!'", "Ann!"),
        ("event.properties.numbers + [9]", [3, 1, 2, 9]),
        ("profile.segments + ['x']", ["big", "vip", "x"]),
        ("event.properties.name ~ ' ' ~ event.properties.total ~ true ~ 1.5", "Ann 5true1.5"),
        ("event.properties.tags ~ ''", '["new","gift"]'),
        ("[event.properties.total, 'x', none]", [5, "x", None]),
        ("{'a': event.properties.total, 'b': []}", {"a": 5, "b": []}),
        ("{'gold': 3, 'silver': 2}[profile.traits.plan]", 3),
        ("event.properties.total > 3", True),
        ("event.properties.missing > 3", False),
        ("event.properties.missing == event.properties.missing", False),
        ("event.properties.name or 'friend'", "Ann"),
        ("event.properties.missing or 'friend'", "friend"),
        ("event.properties.empty or 'friend'", "friend"),
        ("event.properties.missing and 'x'", False),
        ("event.properties.yes and 'x'", "x"),
        ("not event.properties.missing", True),
        ("event.properties.missing is none", True),
        ("'yes' if event.properties.total > 3 else event.properties.missing", "yes"),
        ("event.properties.missing.deep | default('x')", "x"),
        ("event.properties.nothing | default('x')", "x"),
        ("event.properties.zero | default('x')", 0),
        ("(event.properties.missing + 1) | default(2)", 2),
        ("event.properties.missing | default(event.properties.nothing) | default(7)", 7),
        ("1_000 + 0x10", 1016),
        (r"'it\'s' ~ '\n' ~ '\d\u00e9'", "it's\n\\dé"),
        ("'a' 'b'", "ab"),
        ("event\n  .properties\n  .total", 5),
    ],
)
def test_expressions_keep_their_types(text, value):
    expression = compile_expression(text)
    result = expression.evaluate(SCOPE)
    assert result == value
    assert type(result) is type(value)
    assert expression.note(SCOPE, {}) == value


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("event.properties.missing", "event.properties.missing"),
        ("event['properties']['a b'].c", "event.properties['a b'].c"),
        ("event.properties.items[7].sku", "event.properties.items[7].sku"),
        ("session.id", "session.id"),
        ("source", "source"),
        ("event.properties.address[event.properties.name]", "event.properties.address[event.properties.name]"),
        ("event.properties.address[event.properties.missing]", "event.properties.missing"),
        ("event.properties.total + event.properties.missing", "event.properties.missing"),
        ("event.properties.nothing * 2", "event.properties.nothing"),
        ("'x' ~ event.properties.missing", "event.properties.missing"),
        ("[1, event.properties.missing]", "event.properties.missing"),
        ("{'a': event.properties.missing}", "event.properties.missing"),
        ("event.properties.missing | lower", "event.properties.missing"),
        ("event.properties.none_at_all | first", "event.properties.none_at_all | first"),
        ("event.properties.missing | default(event.properties.gone)", "event.properties.gone"),
        ("event.properties.missing or event.properties.gone", "event.properties.gone"),
        ("1 if event.properties.no else event.properties.gone", "event.properties.gone"),
    ],
)
def test_the_error_names_the_absent_value(text, path):
    with pytest.raises(Absent) as absent:
        compile_expression(text).evaluate(SCOPE)
    assert absent.value.path == path
    assert absent.value.reason in {f"`{path}` is absent", f"`{path}` is null"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("event.properties.name * 2", "`*` needs two numbers, not text and a number, in `event.properties.name * 2`"),
        ("event.properties.yes + 1", "`+` needs two numbers, not true or false and a number"),
        ("event.properties.name + 1", "`+` needs two numbers, not text and a number"),
        ("event.properties.name % 1", "`%` needs two numbers, not text and a number"),
        ("-event.properties.tags", "`-` needs two numbers, not a number and a list"),
        ("event.properties.total / 0", "`/` by zero"),
        ("event.properties.total // 0", "`//` by zero"),
        ("event.properties.total % 0.0", "`%` by zero"),
        ("9223372036854775807 + 1", "the result of `+` is too large"),
        ("1e308 * 10", "the result of `*` is too large"),
        ("(event.properties.name + 1) > 2", "`+` needs two numbers"),
        ("event.properties.total | lower", "`lower` needs text, not a number, in `event.properties.total | lower`"),
    ],
)
def test_an_operator_with_an_unfit_operand_fails(text, reason):
    with pytest.raises(Unfit) as unfit:
        compile_expression(text).evaluate(SCOPE)
    assert unfit.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "length"),
    [("event.t + event.t", 40_000), ("event.t ~ event.t", 40_000), ("event.l + event.l", 6_000)],
)
def test_a_result_that_is_too_large_fails(text, length):
    scope = {"event": {"t": "x" * length, "l": [1] * length}}
    with pytest.raises(Unfit):
        compile_expression(text).evaluate(scope)


def test_huge_numbers_in_data_do_not_overflow():
    scope = {"event": {"n": 10**4000, "f": 1.5}}
    for text in ("event.n / 2", "event.n * event.n", "event.n + event.f", "event.n // event.f"):
        with pytest.raises(Unfit):
            compile_expression(text).evaluate(scope)


def test_reads_say_whether_absence_is_handled():
    text = "nodes.a.out | default(nodes.b.out) ~ (event.x > 1) ~ profile.traits[event.key].y"
    assert compile_expression(text).reads == (
        Read(("nodes", "a", "out"), 0, 11, True),
        Read(("nodes", "b", "out"), 22, 11, False, instead_of=(("nodes", "a", "out"),)),
        Read(("event", "x"), 38, 7, True),
        Read(("profile", "traits"), 53, 14, False),
        Read(("event", "key"), 68, 9, False),
    )


def test_an_expression_records_the_values_that_it_reads():
    expression, values = compile_expression("event.properties.total + (event.properties.missing | default(1))"), {}
    assert expression.note(SCOPE, values) == 6
    assert values == {"event.properties.total": 5, "event.properties.missing": "absent"}


def test_values_read_before_a_failure_are_recorded():
    values = {}
    with pytest.raises(Absent):
        compile_expression("event.properties.total + event.properties.missing").note(SCOPE, values)
    assert values == {"event.properties.total": 5, "event.properties.missing": "absent"}


def outcome(evaluate, scope):
    try:
        return repr(evaluate(scope))
    except Unusable as unusable:
        return unusable.reason


@given(expressions, scopes)
@settings(max_examples=cases(300))
def test_an_expression_returns_a_value_or_raises_unusable(text, scope):
    expression = compile_expression(text)
    assert outcome(expression.evaluate, scope) == outcome(lambda scope: expression.note(scope, {}), scope)


class Trap:
    """An object that must never be looked into."""

    def __getattr__(self, name):
        raise AssertionError(f"read the attribute {name}")


@pytest.mark.parametrize(
    "text",
    [
        "event.__class__",
        "event.properties.__class__.__mro__",
        "event.properties['__class__']",
        "event.properties.name.upper",
        "event.properties.tags.append",
        "event.properties.tags['__len__']",
        "event.properties.address[event.attribute]",
        "profile.segments.__class__",
        "trap.secret",
        "trap['secret']",
        "trap[event.attribute]",
    ],
)
def test_attributes_are_never_read(text):
    scope = {**SCOPE, "trap": Trap(), "event": {**SCOPE["event"], "attribute": "__class__"}}
    expression = compile_expression(text, frozenset({"event", "profile", "trap"}))
    with pytest.raises(Absent):
        expression.evaluate(scope)


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "pop", "__class__", "format"])
def test_names_of_methods_are_plain_keys(name):
    expression = compile_expression(f"event.{name}")
    assert expression.evaluate({"event": {name: 7}}) == 7
    with pytest.raises(Absent):
        expression.evaluate({"event": {}})

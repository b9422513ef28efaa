"""The properties of events as `check` knows them: declared fields of the types that its trigger names."""

from typing import Any

import pytest

from engine.flow.compile import compile_flow
from engine.flow.declared_fields import declared_for
from engine.flow.names import ProjectNames
from engine.problem import Problem
from engine.schema.value_type import TYPES
from nodes import builtin

ORDER = {"total": TYPES["DOUBLE"], "currency": TYPES["STRING"], "gift": TYPES["BOOLEAN"]}
REFUND = {"total": TYPES["LONG"], "currency": TYPES["STRING"], "reason": TYPES["STRING"]}
DECLARED = {"order": ORDER, "refund": REFUND}


def problems(value: str, *, event: Any = "order", typed: bool = True, **more: Any) -> list[Problem]:
    """The problems of a flow that sets a trait to a value."""
    nodes = {**more, "set": {"profile.set": {"traits.x": value}}}
    names = ProjectNames(fields=DECLARED, typed=typed)
    return compile_flow({"flow": "f", "trigger": {"event": event}, "nodes": nodes}, names, builtin())[1]


def test_a_field_has_a_type_where_all_types_of_events_agree() -> None:
    assert declared_for(["order"], DECLARED) == ORDER
    both = declared_for(["order", "refund"], DECLARED)
    assert both == {"currency": TYPES["STRING"], "total": None, "gift": None, "reason": None}
    assert declared_for(["order", "seen"], DECLARED) == {}
    assert declared_for(["ord*"], DECLARED) == {}
    assert declared_for([], DECLARED) == {}


def test_a_property_like_a_declared_one_gets_a_warning_at_its_place() -> None:
    (problem,) = problems("{{ event.properties.totl }}")
    assert (problem.code, problem.severity) == ("H128", "warning")
    assert problem.path == ("nodes", "set", "profile.set", "traits.x")
    assert problem.offset == 3
    assert problem.help == "did you mean `total`? If not, declare `totl` in schemas/"


@pytest.mark.parametrize(
    ("value", "event"),
    [
        ("{{ event.properties.total }}", "order"),
        ("{{ event.properties.voucher }}", "order"),
        ("{{ event.properties.totl }}", "seen"),
        ("{{ event.properties.totl }}", "ord*"),
        ("{{ event.properties.totl }}", ["order", "seen"]),
        ("{{ event.properties.reason }}", ["order", "refund"]),
        ("{{ event.context.totl }}", "order"),
        ("{{ session.properties.totl }}", "order"),
        ("{{ event.properties }}", "order"),
    ],
)
def test_any_other_property_is_in_order(value: str, event: Any) -> None:
    assert problems(value, event=event) == []


def test_a_property_that_the_flow_sets_is_in_order() -> None:
    first = {"event.set": {"properties.totl": 5}, "next": "set"}
    assert problems("{{ event.properties.totl }}", note=first) == []


def test_of_several_types_of_events_the_fields_of_all_are_known() -> None:
    (problem,) = problems("{{ event.properties.raeson }}", event=["order", "refund"])
    assert problem.message == "the schema of `order` and `refund` declares no field `raeson`"
    assert problem.help.startswith("did you mean `reason`?")


def test_what_follows_from_a_declared_type_is_a_warning() -> None:
    (problem,) = problems("{{ event.properties.gift == 'yes' }}")
    assert (problem.code, problem.severity) == ("H213", "warning")
    assert problem.message == "`event.properties.gift` is true or false, never text: this is always false"


def test_types_say_nothing_where_a_source_does_not_apply_them() -> None:
    assert problems("{{ event.properties.gift == 'yes' }}", typed=False) == []


def test_what_is_wrong_without_types_stays_an_error() -> None:
    (problem,) = problems("{{ event.type > 5 and event.properties.total > 1 }}")
    assert problem.severity == "error"

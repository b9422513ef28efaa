import msgspec
import pytest

from nodes.branch.switch import Switch
from tests.nodes.build import node_context


@pytest.mark.parametrize(
    ("cases", "port"),
    [
        pytest.param({"gold": True, "silver": False}, "gold", id="the only true condition"),
        pytest.param({"gold": True, "silver": True}, "gold", id="the first of two true conditions"),
        pytest.param({"silver": True, "gold": True}, "silver", id="the first in the order of the file"),
        pytest.param({"gold": False, "silver": False}, "default", id="no true condition"),
    ],
)
def test_it_leaves_by_the_first_case_whose_condition_is_true(cases, port):
    assert Switch(cases=cases).run(node_context()).port == port


def test_every_case_is_a_port_of_that_name():
    ports = Switch.own_ports({"gold": "profile.traits.revenue >= 1000", "silver": "true"})
    assert [(name, port.name, port.main, port.failure) for name, port in ports.items()] == [
        ("gold", "gold", False, False),
        ("silver", "silver", False, False),
    ]


@pytest.mark.parametrize("name", ["default", "failed", "skipped", "Gold", "a-b", "1st", ""])
def test_a_case_has_a_valid_name_that_no_other_port_has(name):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"cases": {name: True}}, Switch)


def test_a_case_does_not_replace_a_common_port():
    assert Switch.own_ports({"failed": "true", "gold": "true"}).keys() == {"gold"}


def test_the_name_of_a_case_may_begin_like_a_common_port():
    assert msgspec.convert({"cases": {"failed_once": True}}, Switch).run(node_context()).port == "failed_once"


def test_there_is_at_least_one_case():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"cases": {}}, Switch)

import msgspec
import pytest

from nodes.branch.switch import Switch
from tests.nodes.build import seen


@pytest.mark.parametrize(
    ("cases", "port"),
    [
        pytest.param({"gold": True, "silver": False}, "gold", id="the one that holds"),
        pytest.param({"gold": True, "silver": True}, "gold", id="the first of two that hold"),
        pytest.param({"silver": True, "gold": True}, "silver", id="the first as written"),
        pytest.param({"gold": False, "silver": False}, "default", id="default when none holds"),
    ],
)
def test_the_first_case_that_holds_is_the_port(cases, port):
    assert Switch(cases=cases).run(seen()).port == port


def test_every_case_is_a_port_of_its_own_name():
    ports = Switch.own_ports({"gold": "profile.traits.revenue >= 1000", "silver": "true"})
    assert [(name, port.name, port.main, port.failure) for name, port in ports.items()] == [
        ("gold", "gold", False, False),
        ("silver", "silver", False, False),
    ]


@pytest.mark.parametrize("name", ["default", "failed", "skipped", "Gold", "a-b", "1st", ""])
def test_a_case_cannot_take_a_name_that_is_no_port_of_its_own(name):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"cases": {name: True}}, Switch)


def test_a_port_that_is_there_anyway_keeps_its_meaning():
    assert Switch.own_ports({"failed": "true", "gold": "true"}).keys() == {"gold"}


def test_a_case_may_begin_like_a_port_that_is_there_anyway():
    assert msgspec.convert({"cases": {"failed_once": True}}, Switch).run(seen()).port == "failed_once"


def test_there_is_at_least_one_case():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"cases": {}}, Switch)

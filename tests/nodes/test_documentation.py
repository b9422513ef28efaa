"""The documentation of node types is generated from their code, so it is never outdated."""

import pytest
from msgspec.structs import fields

from docs.generate import stale
from engine.flow.node import declared_ports, type_name
from nodes import builtin, documentation
from nodes.branch.if_ import If
from nodes.branch.switch import Switch
from nodes.cache.set import CacheSet
from nodes.lookup.http import LookupHttp
from nodes.profile.increment import ProfileIncrement
from nodes.segment.add import SegmentAdd


def test_the_generated_pages_are_up_to_date():
    assert stale() == [], "run `python docs/generate.py`"


@pytest.mark.parametrize("node", list(builtin()), ids=type_name)
def test_a_section_has_every_field_port_and_example_of_the_type(node):
    text = documentation(node)
    assert text.startswith(f"## `{type_name(node)}`\n")
    assert all(f"| `{field.encode_name}`" in text for field in fields(node))
    assert all(f"| `{name}` |" in text for name in declared_ports(node) if name not in ("failed", "skipped"))
    assert all(example.strip() in text for example in node.examples)


@pytest.mark.parametrize(
    ("node", "row"),
    [
        pytest.param(If, "| `condition` (the whole value) | condition | required |", id="a condition"),
        pytest.param(Switch, "| `cases` (the whole value) | map of condition | required |", id="conditions"),
        pytest.param(CacheSet, "| `ttl` | duration such as `10m`, no templates | required |", id="a duration"),
        pytest.param(CacheSet, "| `value` | anything | required |", id="anything"),
        pytest.param(LookupHttp, "| `method` | `GET` or `POST` or `PUT`, no templates | `GET` |", id="words"),
        pytest.param(LookupHttp, "| `query` | map of scalar or list of scalar |  |", id="scalars"),
        pytest.param(LookupHttp, "| `target` | name of a target, no templates | required |", id="a name"),
        pytest.param(
            SegmentAdd, "name of a manual segment or list of names of a manual segment, no templates", id="names"
        ),
        pytest.param(ProfileIncrement, "map of number, by paths below `traits`, `pii`", id="paths"),
    ],
)
def test_the_type_of_a_field_is_described_in_words(node, row):
    assert row in documentation(node)

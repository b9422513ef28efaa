"""The contract of all built-in node types."""

from pathlib import Path

import msgspec
import pytest
import yaml
from msgspec import Meta
from msgspec.structs import fields

from engine.flow.ask import Ask
from engine.flow.loop_node import LoopNode, Turns
from engine.flow.node import NO_OUTPUT, Node, NodeContext, Outcome, Sole, asks, declared_ports, type_name
from engine.flow.node_draft import COMMON_KEYS
from engine.flow.registry import field_notes
from nodes import builtin
from tests.nodes.build import node_context, stored_profile
from tests.nodes.example import examples, flow_of, node_of

REGISTRY = builtin()
HOME = Path(__file__).parents[2] / "nodes"
SESSION = {"id": "s-1", "properties": {}}
ONE_WORD_FAMILIES = ("branch", "run")  # the names of their types have no family

every_type = pytest.mark.parametrize("node", list(REGISTRY), ids=type_name)
every_example = pytest.mark.parametrize(("node", "text"), examples(REGISTRY))


def test_every_file_of_a_family_is_a_node_type():
    files = {path.relative_to(HOME) for path in HOME.glob("*/*.py") if path.name != "__init__.py"}
    modules = {Path(*node.__module__.split(".")[1:]).with_suffix(".py") for node in REGISTRY}
    assert modules == files


@every_type
def test_the_tag_is_the_path(node: type[Node]):
    _, family, name = node.__module__.split(".")
    word = name.rstrip("_")
    assert type_name(node) == (word if family in ONE_WORD_FAMILIES else f"{family}.{word}")


@every_type
def test_every_type_has_a_test_file_of_its_own(node: type[Node]):
    _, family, name = node.__module__.split(".")
    assert (Path(__file__).parent / family / f"test_{name.rstrip('_')}.py").is_file()


@every_type
def test_the_first_line_of_the_docstring_is_a_sentence(node: type[Node]):
    first = (node.__doc__ or "").split("\n")[0]
    assert first.endswith(".")
    assert first[0].isupper()


@every_type
def test_every_field_is_described_with_an_example(node: type[Node]):
    for name, notes in field_notes(node).items():
        metas = [note for note in notes if isinstance(note, Meta)]
        assert metas[-1].description, name
        assert metas[-1].examples, name


@every_type
def test_every_port_is_described(node: type[Node]):
    assert all(port.text and not port.text.endswith(".") for port in declared_ports(node).values())


@every_type
def test_at_most_one_field_is_sole(node: type[Node]):
    assert sum(any(isinstance(note, Sole) for note in notes) for notes in field_notes(node).values()) <= 1


@every_type
def test_exactly_the_types_that_need_a_profile_declare_it(node: type[Node]):
    family = type_name(node).partition(".")[0]
    others = ("lookup.profile", "session.hand_over", "split", "throttle", "deduplicate")
    families = ("profile", "segment", "consent", "wait")
    assert node.uses_profile == (family in families or type_name(node) in others)


@every_type
def test_the_json_schema_has_every_field(node: type[Node]):
    schema = msgspec.json.schema(node)["$defs"][node.__name__]
    assert {field.encode_name for field in fields(node)} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False


@every_type
def test_every_type_has_an_example(node: type[Node]):
    assert node.examples


@every_example
def test_an_example_is_one_entry_that_names_the_type(node: type[Node], text: str):
    ((id, entry),) = yaml.safe_load(text).items()
    assert id.isidentifier()
    assert [key for key in entry if key not in COMMON_KEYS] == [type_name(node)]


@every_example
def test_a_node_can_be_encoded_and_decoded(node: type[Node], text: str):
    made = node_of(text)
    assert type(made) is node
    assert msgspec.json.decode(msgspec.json.encode(made), type=node) == made


@every_example
@pytest.mark.parametrize(
    "context", [node_context(), node_context(stored_profile(), SESSION)], ids=["without a profile", "with a profile"]
)
def test_a_node_is_pure_and_leaves_by_a_port_of_its_own(node: type[Node], text: str, context: NodeContext):
    before = msgspec.json.encode(context)
    made = node_of(text)
    result = run_or_ask(made, context)
    assert result == run_or_ask(made, context) == run_or_ask(node_of(text), context)
    assert msgspec.json.encode(context) == before
    assert not isinstance(result, Outcome) or result.port in flow_of(text).nodes[0].ports


@every_example
def test_the_output_of_a_node_has_the_declared_fields(node: type[Node], text: str):
    result = run_or_ask(node_of(text), node_context(stored_profile(), SESSION))
    ((_, entry),) = yaml.safe_load(text).items()
    shape = node.own_output(entry[type_name(node)])
    if isinstance(result, Outcome) and result.port in {
        port.name for port in declared_ports(node).values() if port.main
    }:
        assert result.out is None if shape == NO_OUTPUT else set(result.out) == set(shape.fields or result.out)


def run_or_ask(node: Node, context: NodeContext) -> Ask | Outcome | Turns:
    if isinstance(node, LoopNode):
        return node.turns()
    return node.ask(context) if asks(type(node)) else node.run(context)

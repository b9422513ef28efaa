"""What every built-in node type keeps to, whoever adds one."""

from pathlib import Path

import msgspec
import pytest
import yaml
from msgspec import Meta
from msgspec.structs import fields

from engine.flow.ask import Ask
from engine.flow.node import Node, NodeContext, Outcome, Sole, asks, declared_ports, type_name
from engine.flow.node_draft import COMMON_KEYS
from engine.flow.registry import field_notes
from nodes import builtin
from tests.nodes.build import person, seen
from tests.nodes.example import examples, flow_of, node_of

REGISTRY = builtin()
HOME = Path(__file__).parents[2] / "nodes"
SESSION = {"id": "s-1", "properties": {}}
WORDS = ("branch", "run")  # the families whose types are called by one word

each_type = pytest.mark.parametrize("node", list(REGISTRY), ids=type_name)
each_example = pytest.mark.parametrize(("node", "text"), examples(REGISTRY))


def test_every_file_of_a_family_is_a_node_type():
    files = {path.relative_to(HOME) for path in HOME.glob("*/*.py") if path.name != "__init__.py"}
    found = {Path(*node.__module__.split(".")[1:]).with_suffix(".py") for node in REGISTRY}
    assert found == files


@each_type
def test_the_tag_is_the_path(node: type[Node]):
    _, family, name = node.__module__.split(".")
    word = name.rstrip("_")
    assert type_name(node) == (word if family in WORDS else f"{family}.{word}")


@each_type
def test_every_type_has_a_test_file(node: type[Node]):
    _, family, name = node.__module__.split(".")
    assert (Path(__file__).parent / family / f"test_{name.rstrip('_')}.py").is_file()


@each_type
def test_the_first_line_of_the_docstring_is_a_sentence(node: type[Node]):
    first = (node.__doc__ or "").split("\n")[0]
    assert first.endswith(".")
    assert first[0].isupper()


@each_type
def test_every_field_is_described_with_an_example(node: type[Node]):
    for name, notes in field_notes(node).items():
        said = [note for note in notes if isinstance(note, Meta)]
        assert said[-1].description, name
        assert said[-1].examples, name


@each_type
def test_every_port_is_described(node: type[Node]):
    assert all(port.text and not port.text.endswith(".") for port in declared_ports(node).values())


@each_type
def test_at_most_one_field_is_sole(node: type[Node]):
    assert sum(any(isinstance(note, Sole) for note in notes) for notes in field_notes(node).values()) <= 1


@each_type
def test_types_of_profiles_say_that_they_use_one(node: type[Node]):
    family = type_name(node).partition(".")[0]
    assert node.uses_profile == (family in ("profile", "segment", "consent") or type_name(node) == "lookup.profile")


@each_type
def test_there_is_a_schema_with_every_field(node: type[Node]):
    schema = msgspec.json.schema(node)["$defs"][node.__name__]
    assert {field.name for field in fields(node)} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False


@each_type
def test_there_is_an_example(node: type[Node]):
    assert node.examples


@each_example
def test_an_example_is_one_entry_that_names_the_type(node: type[Node], text: str):
    ((id, entry),) = yaml.safe_load(text).items()
    assert id.isidentifier()
    assert [key for key in entry if key not in COMMON_KEYS] == [type_name(node)]


@each_example
def test_what_is_encoded_decodes_to_the_same(node: type[Node], text: str):
    made = node_of(text)
    assert type(made) is node
    assert msgspec.json.decode(msgspec.json.encode(made), type=node) == made


@each_example
@pytest.mark.parametrize("world", [seen(), seen(person(), SESSION)], ids=["nobody", "somebody"])
def test_a_node_is_pure_and_leaves_by_a_port_of_its_own(node: type[Node], text: str, world: NodeContext):
    before = msgspec.json.encode(world)
    made = node_of(text)
    came = act(made, world)
    assert came == act(made, world) == act(node_of(text), world)
    assert msgspec.json.encode(world) == before
    assert not isinstance(came, Outcome) or came.port in flow_of(text).nodes[0].ports


def act(node: Node, world: NodeContext) -> Ask | Outcome:
    return node.ask(world) if asks(type(node)) else node.run(world)

"""The registry: it refuses a node type that cannot be documented, found or wired."""

from typing import Annotated

import pytest
from msgspec import Meta

from engine.flow.ask import Ask, CacheGet
from engine.flow.node import Fixed, Keys, Node, NodeContext, Outcome, Port, Sole, declared_ports
from engine.flow.registry import BadNodeType, Registry, field_notes, notes_in, sole_field
from nodes import builtin
from tests.engine.flow.node_types import Way


class Runs(Node, frozen=True):
    """A complete type, apart from its name."""

    done = Port("Done", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Do nothing."""
        return self.done()


class NoName(Runs, frozen=True):
    """Have no name."""


class NoText(Runs, frozen=True, tag="test.no-text"):
    __doc__ = None


class NoSentence(Runs, frozen=True, tag="test.no-sentence"):
    """Have no full stop"""  # the missing stop is tested


class NoDescription(Runs, frozen=True, tag="test.no-description"):
    """Have a field without a description."""

    value: Annotated[int, Sole()]


class NoPortText(Runs, frozen=True, tag="test.no-port-text"):
    """Have a port without a text."""

    other = Port("")


class NoAnswer(Node, frozen=True, tag="test.no-answer"):
    """Ask, without a method for the answer."""

    def ask(self, context: NodeContext) -> Ask:
        """Ask."""
        return CacheGet("k")


class Nothing(Node, frozen=True, tag="test.nothing"):
    """Do nothing at all."""


@pytest.mark.parametrize(
    ("node", "message"),
    [
        pytest.param(NoName, "NoName needs a name", id="no name"),
        pytest.param(NoText, "needs a docstring", id="no docstring"),
        pytest.param(NoSentence, "whose first line is a sentence", id="no sentence"),
        pytest.param(NoDescription, "field `value` of NoDescription", id="a field without a description"),
        pytest.param(NoPortText, "port `other` of NoPortText", id="a port without a text"),
        pytest.param(NoAnswer, "asks but does not answer", id="an ask without answer"),
        pytest.param(Nothing, "has neither `run` nor `ask`", id="neither run nor ask"),
    ],
)
def test_an_incomplete_type_is_refused(node: type[Node], message: str):
    with pytest.raises(BadNodeType, match=message):
        Registry([node])


def test_two_types_with_one_name_are_refused():
    class Other(Runs, frozen=True, tag="test.way"):
        """Have the name of another type."""

    with pytest.raises(BadNodeType, match=r"two node types are called `test\.way`: Way, .*Other"):
        Registry([Way, Other])


def test_types_are_found_by_name_and_sorted_by_it():
    registry = builtin()
    assert registry.names() == tuple(sorted(registry.names()))
    assert len(registry) == len(list(registry)) == len(registry.names())
    node = registry.find("profile.set")
    assert node is not None
    assert node.__name__ == "ProfileSet"
    assert registry.find("profile.st") is None


def test_field_notes_of_nested_annotations_are_found():
    inner = Annotated[str, Fixed()]
    notes = notes_in(Annotated[inner, Keys("traits"), Meta(description="x")])
    assert [type(note) for note in notes] == [Fixed, Keys, Meta]
    assert notes_in(str) == ()


def test_a_type_may_have_a_field_that_takes_the_whole_value():
    names = {str(node.__struct_config__.tag): sole_field(node) for node in builtin()}
    assert (names["profile.set"], names["log"], names["lookup.http"]) == ("values", "message", None)
    assert list(field_notes(Way)) == ["by"]


def test_every_type_can_fail_and_be_skipped():
    assert list(declared_ports(Way)) == ["done", "left", "right", "failed", "skipped"]
    assert [port.name for port in declared_ports(Way).values() if port.failure] == ["failed"]

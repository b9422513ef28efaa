"""The contract of node types: built-in types keep it, and each way of breaking it is named."""

import random
import time
from pathlib import Path
from typing import Annotated, Any

import pytest

from cli.testing.node_contract import BrokenContract, contract_breaches, node_contract, own_node
from engine.flow.node import type_name
from nodes import builtin
from nodes.authoring import (
    ANYTHING,
    Ask,
    HttpAsk,
    HttpReply,
    Meta,
    Node,
    NodeContext,
    Outcome,
    Port,
    Reply,
    Set,
    refusal,
)
from tests.nodes.example import PROPERTIES

# Types whose examples need another project, session or trigger than the sample; `each` is run by the machine itself.
OTHERS = {
    "each",
    "fail",
    "profile.append",
    "session.attach",
    "session.hand_over",
    "session.set",
    "state.get",
    "state.set",
}


class Good(Node, frozen=True, tag="test.node"):
    """Turn an amount into points."""

    amount: Annotated[float, Meta(description="The amount", examples=[12.5])]
    examples = ('points:\n  test.node: {amount: "{{ event.properties.total }}"}\n',)
    output = ANYTHING
    done = Port("The points are the output", main=True)

    def run(self, context: NodeContext) -> Outcome:
        return self.done({"points": int(self.amount)}, [Set(("traits", "points"), 1)])


class Asking(Node, frozen=True, tag="test.node"):
    """Ask a target."""

    examples = ("points:\n  test.node: {}\n",)
    output = ANYTHING
    done = Port("The answer is the output", main=True)

    def ask(self, context: NodeContext) -> Ask | Outcome:
        return HttpAsk("crm")

    def answer(self, context: NodeContext, reply: Reply) -> Outcome | Ask:
        if isinstance(reply, HttpReply):
            return self.done(reply.body)
        return self.failed(reason=refusal(reply))


@pytest.mark.parametrize("node", [node for node in builtin() if type_name(node) not in OTHERS], ids=type_name)
def test_built_in_types_keep_the_contract(node: type[Node]) -> None:
    node_contract(node, PROPERTIES)


@pytest.mark.parametrize("node", [Good, Asking])
def test_a_good_type_keeps_the_contract(node: type[Node]) -> None:
    node_contract(node)


KEPT: list[int] = []


class UsesAClock(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        return self.done(time.perf_counter_ns())


class UsesChance(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        return self.done(random.random())


class KeepsValues(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        KEPT.append(1)
        return self.done(len(KEPT))


class ReadsAFile(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        return self.done(len(Path(__file__).read_text()))


class ChangesTheEvent(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        context.event["properties"]["seen"] = True
        return self.done()


class Raises(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        raise KeyError("tier")


class ReturnsAValue(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        return 7  # type: ignore[return-value]


class LeavesByAnotherPort(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        return Outcome("elsewhere")


class ReturnsAnObject(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        return self.done({"path": Path()})


class FailsWithoutAReason(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        return self.failed()


class WritesWhatItCannot(Good, frozen=True, tag="test.node"):
    def run(self, context: NodeContext) -> Outcome:
        return self.done(effects=[Set(("traits", "tags", "first"), 1)])


class DeclaresNoOutput(Node, frozen=True, tag="test.node"):
    """Return an output."""

    examples = ("points:\n  test.node: {}\n",)
    done = Port("The points are the output", main=True)

    def run(self, context: NodeContext) -> Outcome:
        return self.done(7)


class CannotTakeAnAnswer(Asking, frozen=True, tag="test.node"):
    def answer(self, context: NodeContext, reply: Any) -> Outcome | Ask:
        return self.done(reply.body["tier"])


class HasNoExample(Good, frozen=True, tag="test.node"):
    examples = ()


class HasAnExampleOfAnotherType(Good, frozen=True, tag="test.node"):
    examples = ("points:\n  log: hello\n",)


class HasAnExampleThatDoesNotCompile(Good, frozen=True, tag="test.node"):
    examples = ('points:\n  test.node: {amounts: "{{ event.properties.total }}"}\n',)


class HasAnExampleThatIsNotYaml(Good, frozen=True, tag="test.node"):
    examples = ("points: {",)


class HasAnExampleOfTwoNodes(Good, frozen=True, tag="test.node"):
    examples = ("one:\n  test.node: {amount: 1}\ntwo:\n  test.node: {amount: 1}\n",)


class HasAnExampleThatReadsWhatIsNotThere(Good, frozen=True, tag="test.node"):
    examples = ('points:\n  test.node: {amount: "{{ event.properties.nowhere }}"}\n',)


@pytest.mark.parametrize(
    ("node", "breach"),
    [
        (UsesAClock, "it returns something else when it runs again"),
        (UsesChance, "it returns something else when it runs again"),
        (KeepsValues, "it returns something else when it runs again"),
        (ReadsAFile, "it opens a file"),
        (ChangesTheEvent, "it changes the event"),
        (Raises, "it raises KeyError: 'tier'"),
        (ReturnsAValue, "it returns 7, not one of its ports"),
        (LeavesByAnotherPort, "it leaves by `elsewhere`, which is none of its ports"),
        (ReturnsAnObject, "is no plain data"),
        (FailsWithoutAReason, "without a reason"),
        (WritesWhatItCannot, "its run fails"),
        (DeclaresNoOutput, "does not declare one: write `output = ANYTHING`"),
        (CannotTakeAnAnswer, "it raises AttributeError"),
        (HasNoExample, "it has no `examples`"),
        (HasAnExampleOfAnotherType, "it is a node of the type `log`"),
        (HasAnExampleThatDoesNotCompile, "`amounts`"),
        (HasAnExampleThatIsNotYaml, "example 1: "),
        (HasAnExampleOfTwoNodes, "it is not one node"),
        (HasAnExampleThatReadsWhatIsNotThere, "`event.properties.nowhere` is absent: use what the sample event has"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_breach_is_named(node: type[Node], breach: str) -> None:
    node.__doc__ = Good.__doc__
    assert any(breach in found for found in contract_breaches(node)), list(contract_breaches(node))
    with pytest.raises(BrokenContract, match="does not keep the contract"):
        node_contract(node)


def test_an_example_may_read_what_the_caller_adds_to_the_sample() -> None:
    HasAnExampleThatReadsWhatIsNotThere.__doc__ = Good.__doc__
    node_contract(HasAnExampleThatReadsWhatIsNotThere, {"nowhere": 7})


def test_a_type_of_a_project_is_found_by_its_name_or_its_reports_are_named(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "points.py").write_text("1 / 0\n")
    assert own_node(tmp_path, "profile.set") is builtin().find("profile.set")
    with pytest.raises(LookupError, match=r"nodes/points.py:1: the file cannot be imported: ZeroDivisionError"):
        own_node(tmp_path, "shop.points")

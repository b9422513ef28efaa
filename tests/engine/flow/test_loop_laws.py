"""Laws of loops: of pure nodes one by one, a loop is the same as its turns written one after the other."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from engine.flow.machine import Machine
from engine.flow.plan import Flow
from tests.engine.flow.build import drive, flow, inputs, stored_profile
from tests.fast import cases

law = settings(max_examples=cases(60), deadline=None)

# `ITEM` and `INDEX` stand for what a turn reads, `BEFORE` for the output of the last `let` before the node.
KINDS: dict[str, dict[str, Any]] = {
    "add": {"profile.increment": {"traits.n": "{{ ITEM }}"}},
    "order": {"profile.append": {"traits.order": "{{ ITEM * 10 + INDEX }}"}},
    "see": {"let": {"x": "{{ profile.traits.n + ITEM }}"}},
    "keep": {"profile.append": {"traits.seen": "{{ BEFORE | default('none') }}"}},
    "last": {"event.set": {"properties.last": "{{ ITEM }}"}},
    "emit": {"event.emit": {"type": "child", "properties": {"n": "{{ profile.traits.n }}", "index": "{{ INDEX }}"}}},
    "log": {"log": "{{ ITEM }} after {{ event.properties.last | default('none') }}"},
}
GUARDS = ("", "ITEM > 2", "INDEX == 1", "event.properties.last == ITEM", "BEFORE > 3")


class Step(Struct, frozen=True):
    """One node of a turn."""

    kind: str
    guard: str


steps = st.lists(st.builds(Step, st.sampled_from(sorted(KINDS)), st.sampled_from(GUARDS)), min_size=1, max_size=5)
values = st.lists(st.integers(0, 5), min_size=1, max_size=4)


def node(steps: list[Step], place: int, prefix: str, item: str, index: str, after: str) -> dict[str, Any]:
    """The node at a place of a turn, as it is written; `after` is the id of the node that follows, or empty."""
    lets = [f"{prefix}{i}" for i in range(place) if steps[i].kind == "see"]
    before = f"nodes.{lets[-1]}.out.x" if lets else "event.properties.nowhere"
    words = {"ITEM": item, "INDEX": index, "BEFORE": before}

    def filled(raw: Any) -> Any:
        if isinstance(raw, dict):
            return {key: filled(value) for key, value in raw.items()}
        for word, text in words.items():
            raw = raw.replace(word, text)
        return raw

    made: dict[str, Any] = filled(KINDS[steps[place].kind])
    if steps[place].guard:
        made["when"] = filled(steps[place].guard)
    if after:
        made["next"] = {"done": after, "skipped": after} if steps[place].guard else after
    return made


def looped(steps: list[Step], at_once: int = 1) -> Flow:
    last = len(steps) - 1
    body = {f"n{i}": node(steps, i, "n", "item", "index", f"n{i + 1}" if i < last else "") for i in range(last + 1)}
    config = {"in": "$.event.properties.items[*]", "do": body, "at_once": at_once}
    return flow({"flow": "f", "trigger": {"event": "paid"}, "nodes": {"loop": {"each": config}}})


def unrolled(steps: list[Step], turns: int) -> Flow:
    ids = [(turn, i) for turn in range(turns) for i in range(len(steps))]
    nodes: dict[str, Any] = {}
    for (turn, i), after in zip(ids, [*[f"t{turn}_{i}" for turn, i in ids[1:]], ""], strict=True):
        item, index = f"event.properties.items[{turn}]", f"event.properties.numbers[{turn}]"
        nodes[f"t{turn}_{i}"] = node(steps, i, f"t{turn}_", item, index, after)
    return flow({"flow": "f", "trigger": {"event": "paid"}, "nodes": nodes})


def finished(made: Flow, items: list[int]) -> Machine:
    ann = stored_profile("p-ann", {"traits.n": 0})
    machine = drive(Machine(made, inputs({"items": items, "numbers": list(range(len(items)))}, ann)))
    assert machine.outcome == "finished", machine.reason
    return machine


@law
@given(steps, values)
def test_a_loop_of_pure_nodes_is_its_turns_one_after_the_other(steps: list[Step], items: list[int]):
    one, other = finished(looped(steps), items), finished(unrolled(steps, len(items)), items)
    assert [effect for _, effect in one.effects()] == [effect for _, effect in other.effects()]
    for root in ("event", "profile"):
        assert one.final_state().scope[root] == other.final_state().scope[root]


@law
@given(steps, values)
def test_it_makes_no_difference_how_many_turns_are_side_by_side(steps: list[Step], items: list[int]):
    two, five = finished(looped(steps, at_once=2), items), finished(looped(steps, at_once=5), items)
    assert list(two.effects()) == list(five.effects())
    assert two.final_state().scope == five.final_state().scope


@law
@given(st.lists(st.builds(Step, st.sampled_from(["order", "add"]), st.sampled_from(["", "ITEM > 2"]))), values)
def test_turns_that_read_nothing_of_each_other_are_the_same_side_by_side(steps: list[Step], items: list[int]):
    steps = [*steps, Step("order", "")]
    assert list(finished(looped(steps), items).effects()) == list(finished(looped(steps, at_once=3), items).effects())

"""The machine: the nodes that run, the state that they see, the end of a run."""

import pytest
from msgspec import structs

from engine.flow.durable_run import advance_run, new_run
from engine.flow.effect import Log
from engine.flow.machine import Machine
from engine.flow.run import Inputs
from engine.flow.trace import Trace
from engine.profile.operations import Increment
from tests.engine.flow.build import answer, flow, http, inputs, out, ports, reason_of, run, stored_profile, traits
from tests.engine.flow.node_types import TYPES

ANN = stored_profile()


def test_a_run_follows_the_edges_of_the_ports():
    text = """
    big: {if: event.properties.total > 100, next: {then: vip, else: plain}}
    vip: {segment.add: vip, next: end}
    plain: {log: plain, next: end}
    end: {log: end}
    """
    assert ports(run(flow(text), {"total": 500}, profile=ANN)) == {"big": "then", "vip": "done", "end": "done"}
    assert ports(run(flow(text), {"total": 5}, profile=ANN)) == {"big": "else", "plain": "done", "end": "done"}


def test_a_switch_leaves_by_the_first_case_that_is_true():
    made = flow(
        """
        s: {switch: {big: event.properties.n > 10, some: event.properties.n > 0}, next: {big: a, some: b, default: c}}
        a: {log: x}
        b: {log: x}
        c: {log: x}
        """
    )
    assert [list(ports(run(made, {"n": n})).items()) for n in (11, 1, 0)] == [
        [("s", "big"), ("a", "done")],
        [("s", "some"), ("b", "done")],
        [("s", "default"), ("c", "done")],
    ]


def test_an_unwired_port_ends_its_branch_without_failing_the_run():
    machine = run(flow("a: {log: x, next: [b, c]}\nb: {if: event.properties.no}\nc: {log: x}"))
    assert (ports(machine), machine.outcome) == ({"a": "done", "b": "else", "c": "done"}, "finished")


def test_several_starts_all_run():
    made = flow("{flow: f, trigger: {event: x}, start: [b, a], nodes: {a: {log: x}, b: {log: x}}}")
    assert ports(run(made)) == {"a": "done", "b": "done"}


def test_a_start_with_edges_waits_for_them():
    nodes = {"a": {"test.ask": "/", "next": "b"}, "b": {"let": {"value": "{{ nodes.a.out.by | default('-') }}"}}}
    made = flow({"flow": "f", "trigger": {"event": "x"}, "start": ["a", "b"], "nodes": nodes}, TYPES)
    assert out(run(made, answers={"a": answer()}), "b") == {"value": "done"}
    assert out(run(made, answers={"a": answer("left")}), "b") == {"value": "-"}


def test_a_node_draws_the_same_in_each_rerun_and_another_node_draws_for_itself():
    items = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]"
    draw = f"{{{{ random_choice({items}) }}}}"
    nodes = {id: {"let": {"one": draw, "two": draw}} for id in "abcdefgh"}
    made = flow({"flow": "f", "trigger": {"event": "x"}, "start": list(nodes), "nodes": nodes})

    def drawn(seed: str) -> list[dict[str, int]]:
        machine = Machine(made, structs.replace(inputs(), seed=seed))
        machine.advance()
        replayed = machine.replay(Trace(lambda: 0.0))
        assert [out(replayed, id) for id in nodes] == [out(machine, id) for id in nodes]
        return [out(machine, id) for id in nodes]

    assert drawn("1") == drawn("1") != drawn("2")
    assert all(each["one"] == each["two"] for each in drawn("1"))
    assert len({each["one"] for each in drawn("1")}) > 2


def test_each_turn_of_a_loop_draws_for_itself():
    body = {"pick": {"let": {"one": "{{ random_choice([1, 2, 3, 4, 5, 6, 7, 8]) }}"}}}
    loop = {"each": {"in": "$.event.properties.items[*]", "do": body, "collect": "{{ nodes.pick.out.one }}"}}
    machine = run(flow({"flow": "f", "trigger": {"event": "x"}, "nodes": {"lines": loop}}), {"items": list(range(40))})
    assert set(out(machine, "lines")["items"]) == {1, 2, 3, 4, 5, 6, 7, 8}


def test_a_condition_of_a_node_draws_as_the_node_does():
    nodes = {str(i): {"when": "random_choice([true, false])", "log": "x"} for i in range(40)}
    nodes = {f"n{id}": node for id, node in nodes.items()}
    made = flow({"flow": "f", "trigger": {"event": "x"}, "start": list(nodes), "nodes": nodes})
    assert 5 < list(ports(run(made)).values()).count("done") < 35


# ---- states ----------------------------------------------------------------------------------------------------------


def test_a_node_sees_the_effects_of_its_ancestors():
    text = """
    a: {profile.set: {traits.x: 1}, next: b}
    b: {event.set: {properties.x: 2}, next: c}
    c: {session.set: {properties.x: 3}, next: d}
    d: {let: {a: "{{ profile.traits.x }}", b: "{{ event.properties.x }}", c: "{{ session.properties.x }}"}}
    """
    session = {"id": "s-1", "created": 1, "properties": {}, "context": {}}
    assert out(run(flow(text), profile=ANN, session=session), "d") == {"a": 1, "b": 2, "c": 3}


def test_the_effects_of_a_parallel_branch_are_visible_only_after_the_join():
    text = """
    s: {log: x, next: [writer, reader]}
    writer: {profile.set: {traits.x: 1}, next: end}
    reader: {let: {value: "{{ profile.traits.x | default('nothing') }}"}, next: end}
    end: {let: {value: "{{ profile.traits.x }}"}}
    """
    machine = run(flow(text), profile=ANN)
    assert (out(machine, "reader"), out(machine, "end")) == ({"value": "nothing"}, {"value": 1})


def test_plan_order_decides_where_two_branches_write_one_path():
    text = """
    s: {log: x, next: [first, second]}
    second: {profile.set: {traits.x: second}, next: end}
    first: {test.ask: /, next: late}
    late: {profile.set: {traits.x: late}, next: end}
    end: {let: {value: "{{ profile.traits.x }}"}}
    """
    assert out(run(flow(text, TYPES), profile=ANN, answers={"first": answer()}), "end") == {"value": "late"}


def test_parallel_increments_both_count():
    text = "s: {log: x, next: [a, b]}\na: {profile.increment: {traits.n: 1}}\nb: {profile.increment: {traits.n: 10}}"
    assert traits(run(flow(text), profile=stored_profile(values={"traits.n": 100}))) == {"n": 111}


def test_the_final_state_has_the_effects_of_branches_that_ended():
    text = "s: {log: x, next: [a, b]}\na: {profile.set: {traits.a: 1}}\nb: {profile.set: {traits.b: 1}}"
    assert traits(run(flow(text), profile=ANN)) == {"a": 1, "b": 1}


def test_only_nodes_with_an_output_are_in_the_scope_of_later_nodes():
    text = "a: {let: {x: [1, 2]}, next: b}\nb: {log: x, next: c}\nc: {let: {all: '{{ nodes }}'}}"
    assert out(run(flow(text)), "c") == {"all": {"a": {"out": {"x": [1, 2]}}}}


# ---- when, disabled --------------------------------------------------------------------------------------------------

GUARDED = "a: {profile.set: {traits.x: 1}, %s, next: {done: b, skipped: c}}\nb: {log: x}\nc: {log: x}"


@pytest.mark.parametrize(
    ("setting", "left_by", "reason"),
    [
        pytest.param("when: event.properties.yes", "done", "", id="true"),
        pytest.param("when: event.properties.no", "skipped", "`event.properties.no` is false", id="absent is false"),
        pytest.param("when: false", "skipped", "`false` is false", id="never"),
        pytest.param("disabled: true", "skipped", "disabled", id="disabled"),
        pytest.param("disabled: false", "done", "", id="not disabled"),
    ],
)
def test_when_and_disabled_skip_a_node(setting: str, left_by: str, reason: str):
    machine = run(flow(GUARDED % setting), {"yes": True}, profile=ANN)
    assert ports(machine) == {"a": left_by, ("b" if left_by == "done" else "c"): "done"}
    assert (reason_of(machine, "a"), traits(machine)) == (reason, {"x": 1} if left_by == "done" else {})


def test_a_plain_next_does_not_wire_skipped():
    assert ports(run(flow("a: {log: x, when: event.properties.no, next: b}\nb: {log: x}"))) == {"a": "skipped"}


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_stop_ends_the_run_as_finished_and_cancels_waiting_nodes():
    text = """
    s: {profile.set: {traits.x: 1}, next: [ask, end]}
    ask: {test.ask: /}
    end: {stop: Enough}
    """
    machine = Machine(flow(text, TYPES), inputs(profile=ANN))
    assert machine.advance() == []
    assert (machine.outcome, ports(machine)) == ("finished", {"s": "done", "end": "done"})
    assert (machine.cancelled, traits(machine)) == ((machine.flow.indexes["ask"],), {"x": 1})


def test_effects_are_in_plan_order():
    text = """
    s: {log: s, next: [slow, fast]}
    slow: {test.ask: /, next: late}
    late: {log: late}
    fast: {log: fast}
    """
    machine = run(flow(text, TYPES), answers={"slow": answer()})
    assert list(ports(machine)) == ["s", "fast", "slow", "late"]
    assert [effect.message for _, effect in machine.effects() if isinstance(effect, Log)] == ["s", "late", "fast"]


def test_the_caller_can_fail_a_run():
    machine = run(flow("a: {log: x}"))
    machine.fail("the unit is too large")
    assert (machine.outcome, machine.reason) == ("failed", "the unit is too large")


def test_a_flow_without_asks_ends_in_one_advance():
    machine = Machine(flow("a: {log: x, next: b}\nb: {log: x}"), inputs())
    assert (machine.advance(), machine.over) == ([], True)


def test_a_run_that_is_over_does_nothing_more():
    machine = run(flow("a: {log: x}"))
    before = machine.to_run()
    assert (machine.advance(), machine.to_run()) == ([], before)


def test_advance_run_does_the_same_on_values():
    made = flow("a: {test.ask: /first, next: b}\nb: {test.ask: /second, next: c}\nc: {log: x}", TYPES)
    state, asked = advance_run(made, new_run(made, inputs()))
    assert [http(issued).path for issued in asked] == ["/first"]
    state, asked = advance_run(made, state, (asked[0].node, answer()))
    assert [http(issued).path for issued in asked] == ["/second"]
    state, asked = advance_run(made, state, (asked[0].node, answer()))
    assert (asked, state.outcome, [made.nodes[index].id for index in state.settled]) == (
        [],
        "finished",
        ["a", "b", "c"],
    )


def test_an_ask_is_issued_once_and_then_outstanding():
    machine = Machine(flow("a: {test.ask: /}", TYPES), inputs())
    first = machine.advance()
    assert (machine.advance(), machine.outstanding()) == ([], first)


def test_a_node_that_creates_a_profile_gets_a_new_id_of_its_own():
    made = flow("a: {profile.attach: {create: true}, next: b}\nb: {let: {id: '{{ profile.id }}'}}")
    assert out(run(made), "b") == {"id": "new-00"}
    assert out(run(made, seed="other-"), "b") == {"id": "other-00"}


def test_a_run_sees_the_operations_of_earlier_runs_of_the_unit():
    after_another: Inputs = inputs(profile=ANN, earlier_operations=(Increment(("traits", "n"), 5),))
    machine = Machine(
        flow("a: {profile.increment: {traits.n: 1}, next: b}\nb: {let: {n: '{{ profile.traits.n }}'}}"), after_another
    )
    machine.advance()
    assert out(machine, "b") == {"n": 6}
    assert len(machine.final_state().operations) == 2


def test_a_copied_set_becomes_a_list_in_effects_and_outputs():
    text = """
    v: {segment.add: vip, next: a}
    a: {profile.set: {traits.copy: {at: "{{ profile.segments }}"}}, next: b}
    b: {let: {x: "{{ profile.segments }}"}}
    """
    machine = run(flow(text), profile=ANN)
    copied, output = traits(machine)["copy"]["at"], out(machine, "b")["x"]
    assert [(type(value), value) for value in (copied, output)] == [(list, ["vip"])] * 2

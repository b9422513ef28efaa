"""Failures: outcomes by `failed`, failed runs, and bugs in nodes."""

import pytest

from engine.flow.durable_run import advance_run, new_run
from engine.flow.effect import Emit, Log
from engine.flow.machine import Machine
from engine.flow.output_limits import MAX_EMITTED, MAX_OUT
from tests.engine.flow.build import answer, flow, inputs, no_answer, ports, reason_of, run, stored_profile
from tests.engine.flow.node_types import TYPES

ANN = stored_profile()


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        pytest.param("fail: 'No {{ event.id }}'", "No e-1", id="a fail node"),
        pytest.param("log: '{{ event.properties.none }}'", "`event.properties.none` is absent", id="an absent value"),
        pytest.param("log: 'No {{ event.properties.null }}'", "`event.properties.null` is null", id="a null in a text"),
        pytest.param("log: '{{ event.properties.null }}'", "`event.properties.null` is null", id="a null for a text"),
        pytest.param(
            "profile.increment: {traits.n: '{{ event.id }}'}",
            "`amounts`: expected `int | float`, got `str`",
            id="no number",
        ),
        pytest.param(
            "profile.increment: {traits.name: 1}",
            "`traits.name` is text, not a number",
            id="an effect that does not fit",
        ),
        pytest.param(
            "profile.set: {traits.name.x: 1}",
            "`traits.name` is text, not an object: `traits.name.x` lies below it",
            id="a write below a value",
        ),
        pytest.param(
            "event.set: {properties.total.x: 1}",
            "`properties.total` is a number: `properties.total.x` lies below it",
            id="a write below a value of the event",
        ),
        pytest.param("session.set: {properties.x: 1}", "no session", id="no session"),
        pytest.param("let: {x: '{{ event.properties.total / (now - now) }}'}", "", id="a division by zero"),
        pytest.param("event.emit: {type: ''}", "", id="a bad event type"),
        pytest.param("test.broken: root", "`id` cannot be written", id="a root that cannot be written"),
    ],
)
def test_an_error_of_a_node_leaves_by_failed(node: str, reason: str):
    made = flow(f"a: {{{node}, next: {{failed: b}}}}\nb: {{log: x}}", TYPES)
    machine = run(made, {"total": 5, "null": None}, profile=stored_profile(values={"traits.name": "Ann"}))
    assert (ports(machine), machine.outcome) == ({"a": "failed", "b": "done"}, "finished")
    assert reason in reason_of(machine, "a") != ""


def test_an_unwired_failed_ends_the_run_with_the_node_and_the_reason():
    machine = run(flow("a: {profile.set: {traits.x: 1}, next: b}\nb: {fail: Enough, next: {}}\n"), profile=ANN)
    assert (machine.outcome, machine.failed_at, machine.reason) == ("failed", "b", "Enough")


def test_an_unwired_failed_cancels_the_waiting_nodes():
    text = "s: {log: x, next: [a, b]}\na: {test.ask: /a}\nb: {test.ask: /b}"
    machine = Machine(flow(text, TYPES), inputs())
    first, second = machine.advance()
    machine.reply(first.node, no_answer())
    assert (machine.advance(), machine.outstanding(), machine.over) == ([], [], True)
    assert machine.cancelled == (second.node,)


def test_a_reply_that_comes_too_late_is_ignored():
    text = "s: {log: x, next: [a, b]}\na: {test.ask: /a}\nb: {test.ask: /b}"
    machine = Machine(flow(text, TYPES), inputs())
    first, second = machine.advance()
    machine.reply(first.node, no_answer())
    machine.advance()
    before = machine.to_run()
    machine.reply(second.node, answer())
    assert (machine.advance(), machine.to_run()) == ([], before)


def test_the_first_reply_to_an_ask_counts():
    machine = Machine(flow("a: {test.ask: /, next: {left: b}}\nb: {log: x}", TYPES), inputs())
    (asked,) = machine.advance()
    machine.reply(asked.node, answer("left"))
    machine.reply(asked.node, answer("right"))
    machine.advance()
    assert ports(machine) == {"a": "left", "b": "done"}


def test_an_output_that_is_too_large_fails_its_node():
    made = flow("a: {let: {x: '{{ event.properties.x }}'}, next: {failed: b}}\nb: {log: x}")
    longest = MAX_OUT - len('{"x":""}')
    assert ports(run(made, {"x": "." * longest}))["a"] == "done"
    machine = run(made, {"x": "." * (longest + 1)})
    assert (ports(machine)["a"], reason_of(machine, "a")) == ("failed", f"its output is larger than {MAX_OUT} bytes")


def test_the_number_of_events_that_a_run_emits_is_limited():
    text = f"""
    most: {{test.burst: {MAX_EMITTED}, next: one}}
    one: {{event.emit: {{type: child}}, next: {{failed: end}}}}
    end: {{log: too many}}
    """
    machine = run(flow(text, TYPES))
    assert sum(isinstance(effect, Emit) for _, effect in machine.effects()) == MAX_EMITTED == 1_000
    assert reason_of(machine, "one") == "the run emits more than 1,000 events"
    assert "end" in ports(machine)


def test_a_node_whose_effects_are_refused_does_not_stop_the_run():
    made = flow("a: {test.broken: stop, next: {failed: b}}\nb: {log: x}", TYPES)
    machine = run(made, profile=ANN)
    assert (ports(machine), machine.outcome) == ({"a": "failed", "b": "done"}, "finished")
    assert run(flow("a: {test.broken: stop}", TYPES), profile=ANN).outcome == "failed"


def test_an_event_of_refused_effects_does_not_count_for_the_limit():
    text = f"a: {{test.broken: stop, next: {{failed: most}}}}\nmost: {{test.burst: {MAX_EMITTED}}}"
    machine = run(flow(text, TYPES), profile=ANN)
    assert (machine.outcome, len(list(machine.effects()))) == ("finished", MAX_EMITTED)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        pytest.param("raise", "ZeroDivisionError('division by zero')", id="an exception"),
        pytest.param("port", "it left by `nowhere`, which is none of its ports", id="a port that it does not have"),
        pytest.param("nothing", "it returned None", id="no outcome"),
        pytest.param("ask", "which is no outcome", id="an ask of a node that does not ask"),
        pytest.param("out", "object", id="an output that is no data"),
    ],
)
def test_a_bug_in_a_node_ends_the_run_even_if_failed_is_wired(kind: str, reason: str):
    made = flow(f"a: {{test.broken: {kind}, next: {{done: b, failed: b}}}}\nb: {{log: x}}", TYPES)
    machine = run(made, profile=ANN)
    assert (machine.outcome, machine.failed_at, ports(machine)) == ("failed", "a", {"a": "failed"})
    assert machine.reason.startswith("a bug in test.broken: ")
    assert reason in machine.reason


def test_a_bug_in_an_answer_ends_the_run():
    text = "s: {log: x, next: [a, b]}\na: {test.broken-answer: /, next: {failed: c}}\nb: {test.ask: /b}\nc: {log: x}"
    machine = run(flow(text, TYPES), answers={"a": answer()})
    assert (machine.outcome, machine.failed_at) == ("failed", "a")
    assert machine.reason == "a bug in test.broken-answer: KeyError('tier')"
    assert machine.cancelled == (machine.flow.indexes["b"],)


def test_branches_that_do_not_fit_together_fail_the_node_that_joins_them():
    text = """
    s: {log: x, next: [a, b]}
    a: {profile.set: {traits.x: text}, next: end}
    b: {profile.increment: {traits.x: 1}, next: end}
    end: {log: x, next: {failed: after}}
    after: {log: x}
    """
    machine = run(flow(text), profile=ANN)
    assert ports(machine)["end"] == "failed"
    assert reason_of(machine, "end") == "`traits.x` is text, not a number"


def test_a_when_does_not_hide_that_branches_do_not_fit_together():
    text = """
    s: {log: x, next: [a, b]}
    a: {profile.set: {traits.x: text}, next: end}
    b: {profile.increment: {traits.x: 1}, next: end}
    end: {log: x, when: event.properties.no}
    """
    assert run(flow(text), profile=ANN).failed_at == "end"


def test_a_restored_run_still_counts_the_events_that_it_emitted():
    text = f"""
    most: {{test.burst: {MAX_EMITTED}, next: ask}}
    ask: {{test.ask: /, next: more}}
    more: {{event.emit: {{type: child}}}}
    """
    made = flow(text, TYPES)
    state, asked = advance_run(made, new_run(made, inputs()))
    state, _ = advance_run(made, state, (asked[0].node, answer()))
    assert (state.outcome, state.reason) == ("failed", "the run emits more than 1,000 events")


def test_a_number_in_a_text_field_becomes_text():
    machine = run(flow("a: {log: '{{ 6 * 100 + 20 }}'}"))
    assert [effect.message for _, effect in machine.effects() if isinstance(effect, Log)] == ["620"]


@pytest.mark.parametrize("node", ["profile.set", "profile.append"])
def test_a_value_that_is_too_large_is_not_written(node: str):
    text = f"a: {{{node}: {{traits.big: '{{{{ event.properties.big }}}}'}}, next: {{failed: b}}}}\nb: {{log: x}}"
    machine = run(flow(text), {"big": "x" * (MAX_OUT + 1)}, profile=ANN)
    assert reason_of(machine, "a") == f"it writes a value larger than {MAX_OUT} bytes"

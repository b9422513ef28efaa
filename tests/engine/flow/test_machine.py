"""The machine: which nodes run, what they see, how a run ends."""

from typing import Any

import pytest

from engine.flow.effect import Emit, Log
from engine.flow.machine import MOST_EMITTED, MOST_OUT, Machine, begin, step
from engine.flow.run import Inputs
from engine.profile.operations import Increment
from tests.engine.flow.build import answer, drive, flow, http, inputs, out, person, ports, run, silence, traits, why
from tests.engine.flow.kinds import TYPES

ANN = person()


def test_a_run_goes_from_port_to_node():
    text = """
    big: {if: event.properties.total > 100, next: {then: vip, else: plain}}
    vip: {segment.add: vip, next: end}
    plain: {log: plain, next: end}
    end: {log: end}
    """
    assert ports(run(flow(text), {"total": 500}, profile=ANN)) == {"big": "then", "vip": "done", "end": "done"}
    assert ports(run(flow(text), {"total": 5}, profile=ANN)) == {"big": "else", "plain": "done", "end": "done"}


def test_a_switch_goes_by_the_first_case_that_holds():
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


def test_an_unwired_port_ends_its_branch_quietly():
    machine = run(flow("a: {log: x, next: [b, c]}\nb: {if: event.properties.no}\nc: {log: x}"))
    assert (ports(machine), machine.outcome) == ({"a": "done", "b": "else", "c": "done"}, "finished")


def test_several_starts_all_run():
    made = flow("{flow: f, trigger: {event: x}, start: [b, a], nodes: {a: {log: x}, b: {log: x}}}")
    assert ports(run(made)) == {"a": "done", "b": "done"}


def test_a_start_in_the_midst_waits_for_its_edges():
    nodes = {"a": {"test.ask": "/", "next": "b"}, "b": {"let": {"seen": "{{ nodes.a.out.by | default('-') }}"}}}
    made = flow({"flow": "f", "trigger": {"event": "x"}, "start": ["a", "b"], "nodes": nodes}, TYPES)
    assert out(run(made, answers={"a": answer()}), "b") == {"seen": "done"}
    assert out(run(made, answers={"a": answer("left")}), "b") == {"seen": "-"}


# ---- joins ----------------------------------------------------------------------------------------------------------

JOINED = """
s: {log: x, next: [a, b]}
a: {test.way: "{{ event.properties.a }}", next: {left: end}}
b: {test.way: "{{ event.properties.b }}", next: {left: end}}
end: {log: x, join: %s}
"""


@pytest.mark.parametrize(
    ("join", "a", "b", "runs"),
    [
        ("settled", "left", "left", True),
        ("settled", "left", "right", True),
        ("settled", "right", "right", False),
        ("any", "left", "left", True),
        ("any", "right", "left", True),
        ("any", "right", "right", False),
        ("all", "left", "left", True),
        ("all", "left", "right", False),
        ("all", "right", "right", False),
    ],
)
def test_a_join_says_how_many_edges_must_be_taken(join: str, a: str, b: str, runs: bool):
    machine = run(flow(JOINED % join, TYPES), {"a": a, "b": b})
    assert (("end" in ports(machine)), machine.outcome) == (runs, "finished")


BEHIND = """
s: {log: x, next: [way, b]}
way: {test.way: right, next: {left: gone}}
gone: {log: x, next: further}
further: {log: x, next: end}
b: {log: x, next: end}
end: {log: x, join: %s}
"""


@pytest.mark.parametrize(("join", "runs"), [("settled", True), ("any", True), ("all", False)])
def test_an_edge_behind_a_node_that_did_not_run_is_not_taken(join: str, runs: bool):
    assert ("end" in ports(run(flow(BEHIND % join, TYPES)))) == runs


WAITING = """
s: {log: x, next: [slow, fast]}
slow: {test.ask: /, next: end}
fast: {log: x, next: end}
end: {let: {seen: "{{ nodes.slow.out.by | default('-') }}"}, join: %s}
"""


@pytest.mark.parametrize(
    ("join", "before"),
    [
        pytest.param("settled", False, id="settled waits for all edges"),
        pytest.param("all", False, id="all waits for all edges"),
        pytest.param("any", True, id="any goes at the first arrival"),
    ],
)
def test_who_waits_for_a_slow_branch(join: str, before: bool):
    machine = Machine(flow(WAITING % join, TYPES), inputs())
    machine.advance()
    assert ("end" in ports(machine)) == before
    drive(machine, {"slow": answer()})
    assert list(ports(machine)).count("end") == 1
    assert out(machine, "end") == {"seen": "-" if before else "done"}


def test_join_all_gives_up_as_soon_as_one_edge_is_missed():
    text = """
    s: {log: x, next: [slow, fast]}
    slow: {test.ask: /, next: both}
    fast: {log: x, next: {done: last, failed: both}}
    both: {log: x, join: all, next: last}
    last: {log: x}
    """
    machine = Machine(flow(text, TYPES), inputs())
    machine.advance()
    assert list(ports(machine)) == ["s", "fast", "last"]


def test_a_node_runs_once_however_many_edges_lead_to_it():
    text = """
    s: {log: x, next: [a, b, c, end]}
    a: {log: x, next: end}
    b: {log: x, next: end}
    c: {log: x, next: end}
    end: {profile.increment: {traits.ends: 1}, join: %s}
    """
    for join in ("settled", "any", "all"):
        assert traits(run(flow(text % join), profile=ANN)) == {"ends": 1}


def test_any_sees_the_ancestors_of_the_first_arrival_alone():
    text = """
    s: {log: x, next: [a, b]}
    a: {test.ask: /a, next: mark_a}
    b: {test.ask: /b, next: mark_b}
    mark_a: {profile.set: {traits.a: 1}, next: end}
    mark_b: {profile.set: {traits.b: 1}, next: end}
    end: {let: {seen: "{{ profile.traits }}"}, join: any}
    """
    machine = Machine(flow(text, TYPES), inputs(profile=ANN))
    first, second = machine.advance()
    machine.reply(second.node, answer())
    machine.advance()
    machine.reply(first.node, answer())
    machine.advance()
    assert out(machine, "end") == {"seen": {"b": 1}}
    assert traits(machine) == {"a": 1, "b": 1}


@pytest.mark.parametrize("by", ["left", "right"])
def test_edges_of_one_node_count_as_one(by: str):
    made = flow(f"a: {{test.way: {by}, next: {{left: b, right: b}}}}\nb: {{log: x, join: all}}", TYPES)
    assert ports(run(made)) == {"a": by, "b": "done"}


# ---- what is seen ---------------------------------------------------------------------------------------------------


def test_a_node_sees_what_its_ancestors_did():
    text = """
    a: {profile.set: {traits.x: 1}, next: b}
    b: {event.set: {properties.x: 2}, next: c}
    c: {session.set: {properties.x: 3}, next: d}
    d: {let: {a: "{{ profile.traits.x }}", b: "{{ event.properties.x }}", c: "{{ session.properties.x }}"}}
    """
    session = {"id": "s-1", "created": 1, "properties": {}, "context": {}}
    assert out(run(flow(text), profile=ANN, session=session), "d") == {"a": 1, "b": 2, "c": 3}


def test_a_side_branch_is_seen_behind_the_join_and_not_before():
    text = """
    s: {log: x, next: [writer, reader]}
    writer: {profile.set: {traits.x: 1}, next: end}
    reader: {let: {seen: "{{ profile.traits.x | default('nothing') }}"}, next: end}
    end: {let: {seen: "{{ profile.traits.x }}"}}
    """
    machine = run(flow(text), profile=ANN)
    assert (out(machine, "reader"), out(machine, "end")) == ({"seen": "nothing"}, {"seen": 1})


def test_plan_order_decides_where_two_branches_write_one_path():
    text = """
    s: {log: x, next: [first, second]}
    second: {profile.set: {traits.x: second}, next: end}
    first: {test.ask: /, next: late}
    late: {profile.set: {traits.x: late}, next: end}
    end: {let: {seen: "{{ profile.traits.x }}"}}
    """
    assert out(run(flow(text, TYPES), profile=ANN, answers={"first": answer()}), "end") == {"seen": "late"}


def test_increments_side_by_side_both_count():
    text = "s: {log: x, next: [a, b]}\na: {profile.increment: {traits.n: 1}}\nb: {profile.increment: {traits.n: 10}}"
    assert traits(run(flow(text), profile=person(values={"traits.n": 100}))) == {"n": 111}


def test_a_branch_that_ended_is_in_the_final_sight():
    text = "s: {log: x, next: [a, b]}\na: {profile.set: {traits.a: 1}}\nb: {profile.set: {traits.b: 1}}"
    assert traits(run(flow(text), profile=ANN)) == {"a": 1, "b": 1}


def test_an_output_is_read_by_later_nodes_alone_and_not_at_all_when_there_is_none():
    text = "a: {let: {x: [1, 2]}, next: b}\nb: {log: x, next: c}\nc: {let: {all: '{{ nodes }}'}}"
    assert out(run(flow(text)), "c") == {"all": {"a": {"out": {"x": [1, 2]}}}}


# ---- when, disabled -------------------------------------------------------------------------------------------------

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
def test_a_node_may_be_skipped(setting: str, left_by: str, reason: str):
    machine = run(flow(GUARDED % setting), {"yes": True}, profile=ANN)
    assert ports(machine) == {"a": left_by, ("b" if left_by == "done" else "c"): "done"}
    assert (why(machine, "a"), traits(machine)) == (reason, {"x": 1} if left_by == "done" else {})


def test_a_plain_next_ends_where_a_node_is_skipped():
    assert ports(run(flow("a: {log: x, when: event.properties.no, next: b}\nb: {log: x}"))) == {"a": "skipped"}


# ---- failing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        pytest.param("fail: 'No {{ event.id }}'", "No e-1", id="told to fail"),
        pytest.param("log: '{{ event.properties.none }}'", "`event.properties.none` is absent", id="an absent value"),
        pytest.param("log: 'No {{ event.properties.null }}'", "`event.properties.null` is null", id="a null in a text"),
        pytest.param(
            "log: '{{ event.properties.null }}'", "`message`: expected `str`, got `null`", id="a null for a text"
        ),
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
        pytest.param("let: {x: '{{ event.properties.total / 0 }}'}", "", id="a sum that has no result"),
        pytest.param("event.emit: {type: ''}", "", id="a bad event type"),
        pytest.param("test.broken: root", "`id` is not something that can be written", id="a root that nobody writes"),
    ],
)
def test_what_goes_wrong_leaves_by_failed(node: str, reason: str):
    made = flow(f"a: {{{node}, next: {{failed: b}}}}\nb: {{log: x}}", TYPES)
    machine = run(made, {"total": 5, "null": None}, profile=person(values={"traits.name": "Ann"}))
    assert (ports(machine), machine.outcome) == ({"a": "failed", "b": "done"}, "finished")
    assert reason in why(machine, "a") != ""


def test_an_unwired_failed_ends_the_run_and_says_where_and_why():
    machine = run(flow("a: {profile.set: {traits.x: 1}, next: b}\nb: {fail: Enough, next: {}}\n"), profile=ANN)
    ended = machine
    assert (ended.outcome, ended.failed_at, ended.reason) == ("failed", "b", "Enough")


def test_an_unwired_failed_cancels_what_others_wait_for():
    text = "s: {log: x, next: [a, b]}\na: {test.ask: /a}\nb: {test.ask: /b}"
    machine = Machine(flow(text, TYPES), inputs())
    first, second = machine.advance()
    machine.reply(first.node, silence())
    assert (machine.advance(), machine.outstanding(), machine.over) == ([], [], True)
    assert machine.cancelled == (second.node,)


def test_a_reply_that_comes_too_late_is_ignored():
    text = "s: {log: x, next: [a, b]}\na: {test.ask: /a}\nb: {test.ask: /b}"
    machine = Machine(flow(text, TYPES), inputs())
    first, second = machine.advance()
    machine.reply(first.node, silence())
    machine.advance()
    before = machine.value()
    machine.reply(second.node, answer())
    assert (machine.advance(), machine.value()) == ([], before)


def test_the_first_reply_to_an_ask_counts():
    machine = Machine(flow("a: {test.ask: /, next: {left: b}}\nb: {log: x}", TYPES), inputs())
    (asked,) = machine.advance()
    machine.reply(asked.node, answer("left"))
    machine.reply(asked.node, answer("right"))
    machine.advance()
    assert ports(machine) == {"a": "left", "b": "done"}


def test_an_output_that_is_too_large_fails_its_node():
    made = flow("a: {let: {x: '{{ event.properties.x }}'}, next: {failed: b}}\nb: {log: x}")
    room = MOST_OUT - len('{"x":""}')
    assert ports(run(made, {"x": "." * room}))["a"] == "done"
    machine = run(made, {"x": "." * (room + 1)})
    assert (ports(machine)["a"], why(machine, "a")) == ("failed", f"its output is larger than {MOST_OUT} bytes")


def test_a_run_emits_a_bounded_number_of_events():
    nodes: dict[str, Any] = {"s": {"log": "x", "next": [f"e{i}" for i in range(MOST_EMITTED + 1)]}}
    for i in range(MOST_EMITTED + 1):
        nodes[f"e{i}"] = {"event.emit": {"type": "child"}, "next": {"failed": "end"}}
    nodes["end"] = {"log": "too many"}
    machine = run(flow({"flow": "f", "trigger": {"event": "paid"}, "nodes": nodes}))
    assert sum(isinstance(effect, Emit) for _, effect in machine.effects()) == MOST_EMITTED
    assert why(machine, f"e{MOST_EMITTED}") == f"the run emits more than {MOST_EMITTED} events"
    assert "end" in ports(machine)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        pytest.param("raise", "ZeroDivisionError('division by zero')", id="an exception"),
        pytest.param("port", "it left by `nowhere`, which is none of its ports", id="a port that it does not have"),
        pytest.param("nothing", "it gave None", id="no outcome"),
        pytest.param("ask", "which is no outcome", id="an ask of a node that does not ask"),
        pytest.param("out", "object", id="an output that is no data"),
    ],
)
def test_a_bug_in_a_node_ends_the_run_though_failed_is_wired(kind: str, told: str):
    made = flow(f"a: {{test.broken: {kind}, next: {{done: b, failed: b}}}}\nb: {{log: x}}", TYPES)
    machine = run(made, profile=ANN)
    assert (machine.outcome, machine.failed_at, ports(machine)) == ("failed", "a", {"a": "failed"})
    assert machine.reason.startswith("a bug in test.broken: ")
    assert told in machine.reason


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
    assert why(machine, "end") == "`traits.x` is text, not a number"


def test_a_guard_does_not_hide_that_branches_do_not_fit_together():
    text = """
    s: {log: x, next: [a, b]}
    a: {profile.set: {traits.x: text}, next: end}
    b: {profile.increment: {traits.x: 1}, next: end}
    end: {log: x, when: event.properties.no}
    """
    assert run(flow(text), profile=ANN).failed_at == "end"


# ---- the end --------------------------------------------------------------------------------------------------------


def test_stop_ends_the_run_as_finished_and_cancels_the_rest():
    text = """
    s: {profile.set: {traits.x: 1}, next: [ask, end]}
    ask: {test.ask: /}
    end: {stop: Enough, next: {done: after}}
    after: {log: x}
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


def test_a_run_may_be_failed_from_outside():
    machine = run(flow("a: {log: x}"))
    machine.fail("the unit is too large")
    assert (machine.outcome, machine.reason) == ("failed", "the unit is too large")


def test_a_flow_without_asks_ends_in_one_call():
    machine = Machine(flow("a: {log: x, next: b}\nb: {log: x}"), inputs())
    assert (machine.advance(), machine.over) == ([], True)


def test_a_run_that_is_over_does_nothing_more():
    machine = run(flow("a: {log: x}"))
    before = machine.value()
    assert (machine.advance(), machine.value()) == ([], before)


def test_step_is_the_same_on_values():
    made = flow("a: {test.ask: /first, next: b}\nb: {test.ask: /second, next: c}\nc: {log: x}", TYPES)
    state, asked = step(made, begin(made, inputs()))
    assert [http(one).path for one in asked] == ["/first"]
    state, asked = step(made, state, (asked[0].node, answer()))
    assert [http(one).path for one in asked] == ["/second"]
    state, asked = step(made, state, (asked[0].node, answer()))
    assert (asked, state.outcome, [made.nodes[index].id for index in state.settled]) == (
        [],
        "finished",
        ["a", "b", "c"],
    )


def test_an_ask_is_handed_out_once_and_may_be_looked_up():
    machine = Machine(flow("a: {test.ask: /}", TYPES), inputs())
    first = machine.advance()
    assert (machine.advance(), machine.outstanding()) == ([], first)


def test_a_node_that_makes_ids_gets_one_of_its_own():
    made = flow("a: {profile.attach: {create: true}, next: b}\nb: {let: {id: '{{ profile.id }}'}}")
    assert out(run(made), "b") == {"id": "new-00"}
    assert out(run(made, seed="other-"), "b") == {"id": "other-00"}


def test_what_earlier_runs_of_the_unit_did_is_seen():
    given: Inputs = inputs(profile=ANN, before=(Increment(("traits", "n"), 5),))
    machine = Machine(
        flow("a: {profile.increment: {traits.n: 1}, next: b}\nb: {let: {n: '{{ profile.traits.n }}'}}"), given
    )
    machine.advance()
    assert out(machine, "b") == {"n": 6}
    assert len(machine.final().operations) == 2


def test_a_set_that_is_copied_becomes_a_list_however_the_run_is_kept():
    text = """
    v: {segment.add: vip, next: a}
    a: {profile.set: {traits.copy: {at: "{{ profile.segments }}"}}, next: b}
    b: {let: {x: "{{ profile.segments }}"}}
    """
    machine = run(flow(text), profile=ANN)
    copied, shown = traits(machine)["copy"]["at"], out(machine, "b")["x"]
    assert [(type(each), each) for each in (copied, shown)] == [(list, ["vip"])] * 2

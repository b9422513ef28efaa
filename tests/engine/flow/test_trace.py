"""Traces: the values, decisions and effects of each step; the nodes that did not run, with reasons; no secrets."""

from typing import Any

import pytest
from msgspec import json

from engine.flow.ask import ProfileReply, ProfilesReply, Reply, SessionReply
from engine.flow.machine import Machine
from engine.flow.rendering import MAX_STEPS, MAX_TEXT, MAX_VALUE, render
from engine.flow.trace import Trace
from engine.profile.linking import link_id
from tests.engine.flow.build import (
    answer,
    drive,
    flow,
    inputs,
    no_answer,
    run,
    step_clock,
    step_of,
    stored_profile,
    trace_of,
)
from tests.engine.flow.node_types import TYPES

ANN = stored_profile(values={"traits.revenue": 620, "traits.name": "Ann"})


def test_a_step_has_the_node_its_port_and_its_line():
    made = flow("a: {log: x}")
    step = step_of(run(made), "a")
    assert {key: step[key] for key in ("node", "type", "line", "port")} == {
        "node": "a",
        "type": "log",
        "line": 0,
        "port": "done",
    }
    assert step["us"] > 0


def test_the_step_of_an_if_has_the_expression_its_values_and_the_result():
    step = step_of(
        run(flow("a: {if: profile.traits.revenue >= 500 and 'vip' not in profile.segments}"), profile=ANN), "a"
    )
    assert step["expression"] == "profile.traits.revenue >= 500 and 'vip' not in profile.segments"
    assert step["values"] == {"profile.traits.revenue": 620, "profile.segments": ()}
    assert step["result"] is True
    assert step["port"] == "then"
    assert "in" not in step


def test_an_absent_value_is_listed_as_absent():
    step = step_of(run(flow("a: {if: event.properties.total > 0}")), "a")
    assert (step["values"], step["result"], step["port"]) == ({"event.properties.total": "absent"}, False, "else")


def test_the_step_of_a_switch_has_its_cases():
    step = step_of(
        run(flow("a: {switch: {big: event.properties.n > 10, some: event.properties.n > 0}}"), {"n": 5}), "a"
    )
    assert [(e["expression"], e["values"], e["result"]) for e in step["expressions"]] == [
        ("event.properties.n > 10", {"event.properties.n": 5}, False),
        ("event.properties.n > 0", {"event.properties.n": 5}, True),
    ]


@pytest.mark.parametrize(("yes", "port", "more"), [(True, "done", {"in": "x"}), (False, "skipped", {})])
def test_a_step_has_its_when_and_its_config(yes: bool, port: str, more: dict[str, Any]):
    step = step_of(run(flow("a: {log: {message: x}, when: event.properties.yes}"), {"yes": yes}), "a")
    assert (step["expression"], step["values"], step["result"]) == (
        "event.properties.yes",
        {"event.properties.yes": yes},
        yes,
    )
    assert (step["port"], "in" in step) == (port, bool(more))
    assert yes or step["reason"] == "`event.properties.yes` is false"


def test_a_step_has_both_its_when_and_its_if():
    step = step_of(run(flow("a: {if: event.properties.n > 1, when: event.properties.yes}"), {"yes": 1, "n": 2}), "a")
    assert [e["expression"] for e in step["expressions"]] == ["event.properties.yes", "event.properties.n > 1"]


def test_the_step_of_a_node_that_asks_has_its_when():
    made = flow("a: {test.ask: /x, when: event.properties.yes}", TYPES)
    step = step_of(run(made, {"yes": True}, answers={"a": answer()}), "a")
    assert (step["expression"], step["in"]) == ("event.properties.yes", "/x")


def test_a_step_has_the_values_that_its_templates_read():
    machine = run(
        flow("a: {log: '{{ profile.traits.name }} paid {{ event.properties.total }}'}"), {"total": 5}, profile=ANN
    )
    step = step_of(machine, "a")
    assert step["read"] == {"profile.traits.name": "Ann", "event.properties.total": 5}
    assert step["logs"] == [{"level": "info", "message": "Ann paid 5"}]


@pytest.mark.parametrize(
    ("node", "config"),
    [
        pytest.param("profile.set: {traits.x: 1}", {"traits.x": 1}, id="the one field, which is a map"),
        pytest.param("segment.add: vip", "vip", id="the one field, a text"),
        pytest.param("segment.add: [vip, late]", ["vip", "late"], id="the one field, a list"),
        pytest.param("let: {x: '{{ event.properties.n }}'}", {"x": 5}, id="an evaluated template"),
        pytest.param("log: hi", "hi", id="one of two fields"),
        pytest.param("log: {message: hi, level: error}", {"message": "hi", "level": "error"}, id="two fields"),
        pytest.param("event.emit: {type: x}", {"type": "x", "properties": {}}, id="a field that is called type"),
    ],
)
def test_a_step_has_the_evaluated_config(node: str, config: Any):
    step = step_of(run(flow(f"a: {{{node}}}"), {"n": 5}, profile=ANN), "a")
    assert json.decode(json.encode(step["in"])) == config


def test_a_step_has_the_output():
    assert step_of(run(flow("a: {let: {x: [1, null]}}")), "a")["out"] == {"x": [1, None]}


def test_a_step_has_its_operations():
    text = """
    a: {profile.set: {traits.x: {y: 1}, "traits['a.b']": 2}, next: b}
    b: {profile.unset: traits.x, next: c}
    c: {profile.increment: {traits.n: 2}, next: d}
    d: {segment.add: vip, next: e}
    e: {event.set: {properties.x: 1}, next: f}
    f: {respond: {banner: hi}, next: g}
    g: {event.emit: {type: child, properties: {x: 1}}, next: h}
    h: {cache.set: {key: k, value: 1, ttl: 2s}, next: i}
    i: {profile.append: {traits.l: 1}, next: j}
    j: {stop: }
    """
    steps = {step["node"]: step["operations"] for step in trace_of(run(flow(text), profile=ANN))["steps"]}
    assert steps == {
        "a": [
            {"op": "set", "path": "traits.x", "value": {"y": 1}},
            {"op": "set", "path": "traits['a.b']", "value": 2},
        ],
        "b": [{"op": "unset", "path": "traits.x"}],
        "c": [{"op": "increment", "path": "traits.n", "by": 2}],
        "d": [{"op": "add", "path": "segments", "member": "vip"}],
        "e": [{"op": "event-set", "path": "properties.x", "value": 1}],
        "f": [{"op": "respond", "values": {"banner": "hi"}}],
        "g": [{"op": "emit", "type": "child", "properties": {"x": 1}}],
        "h": [{"op": "cache", "key": "k", "value": 1, "ttl_ms": 2_000}],
        "i": [{"op": "append", "path": "traits.l", "value": 1}],
        "j": [{"op": "stop"}],
    }


def test_the_operation_of_a_merge_has_the_link_that_the_profile_stores():
    bo = stored_profile("p-bo", {"traits.name": "Bo"})
    text = "a: {profile.merge: {pii.email: bo@example.com}}"
    reply = ProfilesReply((ProfileReply(bo, "p-bo", cause="pii.email:1f2e"),))
    machine = run(flow(text), profile=ANN, answers={"a": reply})
    merge = step_of(machine, "a")["operations"][0]
    joined = machine.final_state().profile
    assert joined is not None
    kept = joined.links[link_id("p-ann", "proof", "pii.email:1f2e")]
    assert (merge["op"], merge["profile"], merge["right"], merge["link"]) == (
        "merge",
        "p-bo",
        "pii.email:1f2e",
        kept.id,
    )
    assert kept.why is not None
    assert (kept.why.node, kept.why.won) == ("a", joined.id)
    assert json.decode(json.encode(merge["why"])) == json.decode(json.encode(kept.why))
    assert [clash["path"] for clash in merge["why"]["clashes"]] == ["traits.name"]


def test_the_operation_of_an_attach_has_the_id():
    text = "a: {profile.attach: {id: p-ann}, next: b}\nb: {session.attach: s-1}"
    answers: dict[str, Reply] = {"a": ProfileReply(ANN, "p-ann"), "b": SessionReply({"id": "s-1"})}
    steps = trace_of(run(flow(text), answers=answers))["steps"]
    assert [step["operations"] for step in steps] == [
        [{"op": "attach", "profile": "p-ann"}],
        [{"op": "session-attach", "session": "s-1"}],
    ]


def test_a_step_has_its_calls_with_their_attempts():
    made = flow("a: {lookup.http: {target: crm, path: /x}, retry: {times: 1}, next: {failed: b}}\nb: {log: x}")
    step = step_of(run(made, answers={"a": [no_answer(took_ms=2_000), answer({"x": 1}, took_ms=30)]}), "a")
    assert step["calls"] == [
        {"kind": "http", "what": "GET crm:/x", "got": "no answer: it took too long", "took_ms": 2_000, "at_us": 0},
        {
            "kind": "http",
            "what": "GET https://crm.example/",
            "got": "200",
            "attempt": 2,
            "took_ms": 30,
            "at_us": 2_500_000,
        },
    ]


def test_a_trace_that_is_made_afterwards_has_the_times_of_the_run():
    made = flow("a: {lookup.http: {target: crm, path: /x}, retry: {times: 1}, next: {failed: b}}\nb: {log: x}")
    machine = drive(Machine(made, inputs({})), {"a": [no_answer(took_ms=2_000), no_answer(took_ms=30)]})
    trace = Trace(lambda: 0.0)
    document = render(trace, machine.replay(trace))
    assert document["duration_us"] == 2_530_000
    assert [step["at_us"] for step in document["steps"]] == [0, 2_530_000]


def test_a_failed_step_has_the_error_and_the_values_read_before_it():
    machine = run(flow("a: {log: '{{ event.properties.n }} {{ event.properties.none }}'}"), {"n": 5})
    step = step_of(machine, "a")
    assert (step["error"], step["port"]) == ("`event.properties.none` is absent", "failed")
    assert step["read"] == {"event.properties.n": 5, "event.properties.none": "absent"}
    assert trace_of(machine) | {"steps": [], "duration_us": 0} == {
        "flow": "tested",
        "version": "",
        "outcome": "failed",
        "duration_us": 0,
        "steps": [],
        "not_run": [],
        "reason": "`event.properties.none` is absent",
        "failed_at": "a",
    }


def test_a_step_has_the_nodes_that_led_to_it():
    text = "s: {log: x, next: [a, b, c]}\na: {log: x, next: end}\nb: {log: x, next: end}\nc: {log: x}\nend: {log: x}"
    machine = run(flow(text))
    assert [step_of(machine, id).get("from") for id in ("s", "a", "end")] == [None, ["s"], ["a", "b"]]


def test_steps_are_in_the_order_in_which_nodes_settled():
    text = "s: {log: x, next: [slow, fast]}\nslow: {test.ask: /, next: end}\nfast: {log: x}\nend: {log: x}"
    steps = trace_of(run(flow(text, TYPES), answers={"slow": answer()}))["steps"]
    assert [step["node"] for step in steps] == ["s", "fast", "slow", "end"]


# ---- nodes that did not run ------------------------------------------------------------------------------------------


def reasons(machine: Machine) -> dict[str, str]:
    return {entry["node"]: entry["why"] for entry in trace_of(machine)["not_run"]}


def test_a_node_that_did_not_run_has_a_reason():
    text = """
    big_spender: {if: event.properties.total > 500, next: {then: [vip, end], else: plain}}
    vip: {log: x, next: end}
    plain: {log: x}
    end: {log: x}
    """
    assert reasons(run(flow(text))) == {
        "vip": "big_spender left by else, not then",
        "end": "big_spender left by else, not then; vip did not run",
    }


def test_edges_of_several_ports_are_named_together():
    text = "a: {test.way: done, next: {left: b, right: b}}\nb: {log: x}"
    assert reasons(run(flow(text, TYPES))) == {"b": "a left by done, not left or right"}


def test_the_end_of_the_run_can_be_the_reason():
    text = """
    s: {log: x, next: [ask, end, late]}
    ask: {test.ask: /, next: after}
    end: {%s}
    late: {log: x}
    after: {log: x}
    """
    assert reasons(run(flow(text % "fail: enough", TYPES))) == {
        "ask": "it waited for an answer when the run ended",
        "late": "the run failed at end",
        "after": "ask did not run",
    }
    assert reasons(run(flow(text % "stop: enough", TYPES)))["late"] == "the run had ended"


def test_the_trace_of_a_waiting_run_has_the_waiting_nodes():
    machine = Machine(flow("a: {test.ask: /, next: b}\nb: {log: x}", TYPES), inputs(), trace=Trace(step_clock()))
    machine.advance()
    assert (trace_of(machine)["outcome"], reasons(machine)) == (
        "running",
        {"a": "it waits for an answer", "b": "a did not run"},
    )


# ---- sizes and secrets -----------------------------------------------------------------------------------------------


def test_a_large_value_is_cut_and_replaced_by_its_size():
    large = "." * MAX_VALUE
    machine = run(flow("a: {let: {small: 1, large: '{{ event.properties.x }}'}}"), {"x": large})
    step = step_of(machine, "a")
    cut = {"cut": MAX_VALUE + 2, "begins": ('"' + large)[:200]}
    assert step["read"] == {"event.properties.x": cut}
    assert step["in"] == {"small": 1, "large": cut}
    assert step["out"]["cut"] > MAX_VALUE


def test_a_long_message_is_cut_and_has_its_length():
    text = "." * 5_000
    machine = run(
        flow("a: {log: '{{ event.properties.x }}', next: b}\nb: {fail: '{{ event.properties.x }}'}"), {"x": text}
    )
    short = text[:MAX_TEXT] + "… (5000 characters)"
    assert step_of(machine, "a")["logs"][0]["message"] == short
    assert step_of(machine, "b")["error"] == trace_of(machine)["reason"] == short


def test_a_trace_is_limited_in_size_and_has_the_size_of_what_it_omits():
    nodes = {f"n{i}": {"let": {f"v{j}": "{{ event.properties.x }}" for j in range(10)}} for i in range(20)}
    made = flow({"flow": "f", "trigger": {"event": "paid"}, "start": list(nodes), "nodes": nodes})
    document = trace_of(run(made, {"x": "." * 4_000}))
    assert len(json.encode(document)) < MAX_STEPS * 1.1
    assert len(document["steps"]) == 20
    assert document["steps"][-1].keys() == {"node", "type", "line", "port", "us", "cut"}
    assert document["steps"][0]["in"]["v9"] == "." * 4_000


def test_headers_are_never_in_a_trace():
    made = flow(
        """
        a:
          lookup.http: {target: crm, path: /x, headers: {Authorization: Bearer abc-secret}}
          next: {failed: b}
        b: {log: x}
        """
    )
    for reply in (answer({}), no_answer()):
        machine = run(made, answers={"a": reply})
        assert b"abc-secret" not in json.encode(trace_of(machine))
        assert "headers" not in step_of(machine, "a")["in"]


def test_a_trace_is_json():
    text = """
    a: {segment.add: vip, next: b}
    b: {let: {all: "{{ profile }}"}, next: c}
    c: {profile.set: {traits.copy: "{{ profile.segments }}"}}
    """
    document = trace_of(run(flow(text), profile=ANN))
    assert json.decode(json.encode(document))["steps"][1]["out"]["all"]["segments"] == ["vip"]


def test_a_replay_records_the_trace_of_a_run_without_one():
    text = "a: {test.ask: /, next: b}\nb: {test.ask: /, next: c}\nc: {fail: 'no'}"
    machine = Machine(flow(text, TYPES), inputs())
    for _ in range(2):
        (asked,) = machine.advance()
        machine.reply(asked.node, answer())
    machine.advance()
    trace = Trace(step_clock())
    document = render(trace, machine.replay(trace))
    assert [(step["node"], step["port"]) for step in document["steps"]] == [
        ("a", "done"),
        ("b", "done"),
        ("c", "failed"),
    ]
    assert (document["outcome"], document["failed_at"]) == ("failed", "c")


def test_a_replay_of_a_run_that_the_caller_failed_fails_too():
    machine = run(flow("a: {log: x}"))
    machine.fail("too many events")
    trace = Trace(step_clock())
    document = render(trace, machine.replay(trace))
    assert (document["outcome"], document["reason"]) == ("failed", "too many events")

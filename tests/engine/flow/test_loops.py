"""Loops: turns, their effects and failures, nesting, side by side, limits, slices, and loops in a run as a value."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from engine.flow.ask import HttpReply, ProfileReply, ProfilesReply, Reply
from engine.flow.durable_run import advance_run, new_run
from engine.flow.effect import Emit, Log
from engine.flow.loop import SLICE
from engine.flow.machine import Machine
from engine.flow.outbox_room import outbox_room
from engine.flow.paused import PausedRun, put_away, take_up, wake
from engine.flow.plan import Flow
from engine.flow.run import Identify, IssuedAsk, Run
from engine.flow.run_state import initial_state
from engine.flow.trace import Trace
from engine.profile.operations import Increment
from tests.engine.flow.build import (
    answer,
    flow,
    http,
    inputs,
    no_answer,
    out,
    ports,
    reason_of,
    run,
    step_clock,
    stored_profile,
    trace_of,
    traits,
)
from tests.engine.flow.node_types import TYPES

ANN = stored_profile("p-ann", {"traits.name": "Ann", "traits.n": 0})
BO = stored_profile("p-bo", {"traits.name": "Bo"})
LOOKUPS = """
lines:
  each:
    in: "$.event.properties.items[*]"
    do:
      price: {lookup.http: {target: crm, path: "/{{ item }}"}, next: line}
      line: {event.emit: {type: line, properties: {sku: "{{ item }}", price: "{{ nodes.price.out }}"}}}
    collect: "{{ nodes.price.out }}"
    at_once: AT_ONCE
    on_error: ON_ERROR
  next: {done: end, failed: end}
end: {log: "the end"}
"""


def lookups(at_once: int = 1, on_error: str = "stop") -> Flow:
    return flow(LOOKUPS.replace("AT_ONCE", str(at_once)).replace("ON_ERROR", on_error))


def items(*items: Any) -> dict[str, Any]:
    return {"items": list(items)}


def path_of(asked: IssuedAsk) -> str:
    return http(asked).path.removeprefix("/")


def answered(
    made: Flow, properties: Mapping[str, Any], replies: Mapping[str, Reply], order: Sequence[str] = ()
) -> Machine:
    """A run whose look-ups are answered by their paths, those in `order` first and in that order."""
    machine = Machine(made, inputs(properties, ANN), trace=Trace(step_clock()))
    waiting = machine.advance_fully()
    while waiting and not machine.over:
        ranked = sorted(waiting, key=lambda asked: order.index(path_of(asked)) if path_of(asked) in order else 99)
        waiting.remove(asked := ranked[0])
        machine.reply(asked.node, replies.get(path_of(asked), answer(path_of(asked))))
        waiting += machine.advance_fully()
    assert machine.over
    return machine


def emitted(machine: Machine) -> list[str]:
    return [effect.properties["sku"] for _, effect in machine.effects() if isinstance(effect, Emit)]


# ---- what a turn sees -----------------------------------------------------------------------------------------------


def test_a_turn_sees_its_own_nodes_and_those_before_the_loop():
    made = flow(
        """
        before: {let: {x: 1}, next: lines}
        lines:
          each:
            in: [a, b]
            do:
              first: {let: {x: "{{ nodes.before.out.x }}{{ item }}"}, next: second}
              second: {log: "{{ nodes.first.out.x }}{{ index }}"}
        """
    )
    assert [effect.message for _, effect in run(made).effects() if isinstance(effect, Log)] == ["1a0", "1b1"]


def test_a_turn_sees_no_output_of_another_turn():
    made = flow(
        """
        lines:
          each:
            in: [true, false]
            do:
              choose: {if: item, next: {then: mark, else: see}}
              mark: {let: {x: 1}, next: see}
              see: {log: "{{ nodes.mark.out.x | default('nothing') }}"}
        """
    )
    assert [effect.message for _, effect in run(made).effects() if isinstance(effect, Log)] == ["1", "nothing"]


def test_one_by_one_a_turn_sees_what_those_before_it_have_changed():
    text = """
    lines:
      each:
        in: [1, 2, 3]
        do:
          see: {let: {n: "{{ profile.traits.n }}"}, next: add}
          add: {profile.increment: {traits.n: "{{ item }}"}}
        collect: "{{ nodes.see.out.n }}"
        at_once: 1
    """
    machine = run(flow(text), profile=ANN)
    assert (out(machine, "lines")["items"], traits(machine)["n"]) == ([0, 1, 3], 6)
    machine = run(flow(text.replace("at_once: 1", "at_once: 2")), profile=ANN)
    assert (out(machine, "lines")["items"], traits(machine)["n"]) == ([0, 0, 0], 6)


def test_nodes_after_the_loop_see_its_output_and_no_item():
    made = flow(
        """
        lines:
          each: {in: [1, 2], do: {x: {profile.increment: {traits.n: "{{ item }}"}}}, collect: "{{ item * 2 }}"}
          next: see
        see: {let: {sum: "{{ nodes.lines.out.items | sum }}", n: "{{ profile.traits.n }}", all: "{{ nodes }}"}}
        """
    )
    machine = run(made, profile=ANN)
    assert out(machine, "see")["sum"] == 6
    assert out(machine, "see")["n"] == 3
    assert list(out(machine, "see")["all"]) == ["lines"]
    assert not {"item", "index"} & machine.final_state().scope.keys()


# ---- side by side ---------------------------------------------------------------------------------------------------


def test_turns_side_by_side_ask_at_the_same_time():
    machine = Machine(lookups(at_once=2), inputs(items("a", "b", "c")))
    first = machine.advance()
    assert [(path_of(asked), asked.id) for asked in first] == [("a", "lines[0].price"), ("b", "lines[1].price")]
    machine.reply(first[1].node, answer("b"))
    assert [path_of(asked) for asked in machine.advance()] == ["c"]


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
def test_effects_are_in_the_order_of_the_items_whatever_comes_back_first(order: str):
    machine = answered(lookups(at_once=3), items("a", "b", "c"), {}, order)
    assert emitted(machine) == ["a", "b", "c"]
    assert out(machine, "lines") == {"items": ["a", "b", "c"], "count": 3, "failed": []}
    assert [name for name, effect in machine.effects() if isinstance(effect, Emit)] == [
        f"lines[{index}].line" for index in range(3)
    ]


@pytest.mark.parametrize("order", ["abcd", "dcba", "cdab"])
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_which_turn_fails_does_not_depend_on_the_order_of_the_answers(on_error: str, order: str):
    replies = {"b": no_answer(retriable=False), "d": no_answer(retriable=False)}
    machine = answered(lookups(4, on_error), items("a", "b", "c", "d"), replies, order)
    if on_error == "skip":
        assert out(machine, "lines") == {"items": ["a", "c"], "count": 4, "failed": [1, 3]}
        assert emitted(machine) == ["a", "c"]
    else:
        assert (ports(machine)["lines"], emitted(machine)) == ("failed", [])
        assert reason_of(machine, "lines") == "`lines[1].price`: it took too long"


# ---- failures -------------------------------------------------------------------------------------------------------


def test_no_turn_begins_behind_one_that_has_failed_for_good():
    machine = Machine(lookups(at_once=2), inputs(items("a", "b", "c")))
    first, second = machine.advance()
    machine.reply(second.node, no_answer(retriable=False))
    assert machine.advance() == []
    machine.reply(first.node, answer("a"))
    assert machine.advance() == []
    assert ports(machine)["lines"] == "failed"


def test_a_failed_turn_fails_the_loop_and_nothing_of_it_takes_effect():
    machine = answered(lookups(), items("a", "b", "c"), {"b": answer(status=500)})
    assert ports(machine) == {"lines": "failed", "end": "done"}
    assert emitted(machine) == []
    assert reason_of(machine, "lines") == "`lines[1].price`: `crm` answered 500"


def test_a_failed_turn_without_a_way_on_fails_the_run():
    made = flow("lines: {each: {in: [1, 0, 2], do: {x: {let: {y: '{{ 1 / item }}'}}}}}")
    machine = run(made)
    assert (machine.outcome, machine.failed_at) == ("failed", "lines")
    assert machine.reason.startswith("`lines[1].x`: ")


def test_a_failure_that_is_wired_in_the_turn_is_none():
    made = flow(
        """
        lines:
          each:
            in: [1, 0]
            do: {x: {let: {y: "{{ 1 / item }}"}, next: {failed: none}}, none: {log: "no"}}
            collect: "{{ nodes.x.out.y | default(none) }}"
        """
    )
    assert out(run(made), "lines") == {"items": [1, None], "count": 2, "failed": []}


def test_a_skipped_turn_leaves_no_effect():
    made = flow(
        """
        lines:
          each:
            in: [1, 0, 2]
            do:
              add: {profile.increment: {traits.n: 1}, next: x}
              x: {let: {y: "{{ 4 / item }}"}}
            collect: "{{ nodes.x.out.y }}"
            on_error: skip
        """
    )
    machine = run(made, profile=ANN)
    assert (traits(machine)["n"], out(machine, "lines")) == (2, {"items": [4, 2], "count": 3, "failed": [1]})


def test_a_turn_fails_when_its_value_cannot_be_collected():
    text = "lines: {each: {in: [{a: 1}, {}], do: {x: {log: x}}, collect: '{{ item.a }}', on_error: skip}}"
    assert out(run(flow(text)), "lines") == {"items": [1], "count": 2, "failed": [1]}
    machine = run(flow(text.replace(", on_error: skip", "")))
    assert reason_of(machine, "lines") == "turn 1: `item.a` is absent"


def test_turns_whose_effects_do_not_fit_together_fail():
    text = """
    lines:
      each:
        in: [1, {a: 1}, 2]
        do: {x: {profile.set: {traits.n: "{{ item }}"}, next: y}, y: {profile.increment: {traits.m.n: 1}}}
        at_once: 3
        on_error: skip
      next: tail
    tail: {profile.set: {traits.m: 1}}
    """
    machine = run(flow(text), profile=ANN)
    assert out(machine, "lines")["failed"] == []
    made = flow(
        """
        lines:
          each:
            in: [text, 1]
            do: {x: {profile.set: {traits.n: "{{ item }}"}, when: index == 0, next: {done: y, skipped: y}},
                 y: {profile.increment: {traits.n: 1}, when: index == 1}}
            at_once: 2
            on_error: skip
        """
    )
    machine = run(made, profile=ANN)
    assert (traits(machine)["n"], out(machine, "lines")["failed"]) == ("text", [1])


def test_a_bug_in_a_turn_ends_the_run_and_is_never_skipped():
    made = flow(
        "lines: {each: {in: [1], do: {x: {test.broken: raise}}, on_error: skip}, next: {failed: e}}\ne: {log: x}", TYPES
    )
    machine = run(made)
    assert (machine.outcome, machine.failed_at, ports(machine)) == ("failed", "lines", {"lines": "failed"})
    assert machine.reason.startswith("`lines[0].x`: a bug in test.broken")


# ---- stopping -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_stop_in_a_turn_ends_the_run_with_the_effects_up_to_there(at_once: int):
    made = flow(
        f"""
        lines:
          each:
            in: [1, 2, 3]
            do: {{add: {{profile.increment: {{traits.n: "{{{{ item }}}}"}}, next: enough}},
                  enough: {{stop: enough, when: item == 2}}}}
            at_once: {at_once}
          next: after
        after: {{log: never}}
        """
    )
    machine = run(made, profile=ANN)
    assert (machine.outcome, ports(machine)) == ("finished", {"lines": "stopped"})
    assert traits(machine)["n"] == 3
    assert [effect.by for _, effect in machine.effects() if isinstance(effect, Increment)] == [1, 2]


def test_a_branch_that_ends_the_run_leaves_the_turns_undone():
    made = flow(
        """
        flow: f
        trigger: {event: paid}
        start: [lines, end]
        nodes:
          lines: {each: {in: "$.event.properties.items[*]", do: {x: {lookup.http: {target: crm}}}}}
          end: {stop: enough}
        """
    )
    machine = Machine(made, inputs(items("a", "b"), ANN), trace=Trace(step_clock()))
    machine.advance()
    assert (machine.outcome, machine.cancelled, emitted(machine)) == ("finished", (0,), [])
    assert trace_of(machine)["not_run"] == [{"node": "lines", "why": "the run ended in turn 0 of 2"}]


# ---- nesting --------------------------------------------------------------------------------------------------------

NESTED = """
orders:
  each:
    in: "$.event.properties.orders[*]"
    do:
      order: {let: {id: "{{ item.id }}"}, next: lines}
      lines:
        each:
          in: "{{ item.lines }}"
          do: {line: {event.emit: {type: line, properties: {sku: "{{ nodes.order.out.id }}{{ item }}{{ index }}"}}}}
          collect: "{{ nodes.order.out.id }}/{{ item }}"
        next: sum
      sum: {log: "{{ item.id }}: {{ nodes.lines.out.count }}"}
    collect: "{{ nodes.lines.out.items }}"
"""
ORDERS = {"orders": [{"id": "A", "lines": [1, 2]}, {"id": "B", "lines": [3]}]}


def test_a_loop_within_a_loop_sees_the_nodes_of_the_turn_around_it():
    machine = run(flow(NESTED), ORDERS)
    assert out(machine, "orders")["items"] == [["A/1", "A/2"], ["B/3"]]
    assert emitted(machine) == ["A10", "A21", "B30"]
    assert [name for name, _ in machine.effects()] == [
        "orders[0].lines[0].line",
        "orders[0].lines[1].line",
        "orders[0].sum",
        "orders[1].lines[0].line",
        "orders[1].sum",
    ]


def test_asks_of_inner_turns_have_the_names_of_all_turns():
    made = flow(
        """
        outer:
          each:
            in: [1, 2]
            do: {inner: {each: {in: [3, 4], do: {look: {lookup.http: {target: crm, path: "/{{ item }}"}}}, at_once: 2}}}
            at_once: 2
        """
    )
    machine = Machine(made, inputs())
    assert [asked.id for asked in machine.advance()] == [f"outer[{i}].inner[{j}].look" for i in (0, 1) for j in (0, 1)]


# ---- limits and slices ----------------------------------------------------------------------------------------------


def test_a_loop_that_emits_too_much_fails_the_run_even_if_failures_are_skipped():
    text = "lines: {each: {in: '{{ event.properties.items }}', do: {x: {test.burst: 100}}, on_error: skip}}"
    machine = run(flow(text, TYPES), items(*range(10)))
    assert (machine.outcome, len(list(machine.effects()))) == ("finished", 1_000)
    machine = run(flow(text, TYPES), items(*range(11)))
    assert (machine.outcome, machine.reason) == ("failed", "the run emits more than 1,000 events")


def test_events_of_skipped_turns_do_not_count_for_the_limit():
    text = """
    lines:
      each:
        in: "{{ event.properties.items }}"
        do: {x: {test.burst: 100, next: y}, y: {fail: never mind, when: item % 2 == 0}}
        on_error: skip
    """
    machine = run(flow(text, TYPES), items(*range(20)))
    assert (machine.outcome, len(list(machine.effects()))) == ("finished", 1_000)


def test_the_events_of_nodes_and_loops_count_together():
    text = "a: {test.burst: 501, next: b}\nb: {each: {in: [1, 2], do: {x: {test.burst: 250}}}}"
    machine = run(flow(text, TYPES))
    assert (machine.outcome, machine.reason) == ("failed", "the run emits more than 1,000 events")


def test_the_events_of_loops_one_after_the_other_count_together():
    text = """
    a: {each: {in: [1, 2], do: {x: {test.burst: 251}}}, next: b}
    b: {each: {in: [1, 2], do: {y: {test.burst: 251}}}}
    """
    machine = run(flow(text, TYPES))
    assert (machine.outcome, machine.reason) == ("failed", "the run emits more than 1,000 events")


COUNTING = """
outer:
  each:
    in: "$.event.properties.outer[*]"
    do: {inner: {each: {in: "{{ event.properties.inner }}", do: {x: {log: "x"}, y: {log: "y", when: "false"}}}}}
    on_error: skip
""".replace(', y: {log: "y", when: "false"}', "")


def test_the_nodes_that_settle_in_turns_are_limited():
    made = flow(COUNTING)
    assert run(made, {"outer": [0] * 99, "inner": [0] * 100}).outcome == "finished"
    machine = run(made, {"outer": [0] * 100, "inner": [0] * 100})
    assert (machine.outcome, ports(machine)) == ("failed", {"outer": "failed"})
    assert "more than 10,000 nodes have settled in the turns of the run's loops" in machine.reason


@pytest.mark.parametrize("at_once", [1, 5])
@pytest.mark.parametrize(
    "body",
    [
        'do: {x: {log: "{{ item }} {{ event.properties.text }}"}}',
        'do: {x: {log: "x"}}, collect: "{{ item }} {{ event.properties.text }}"',
    ],
)
def test_what_the_turns_leave_is_limited(body: str, at_once: int):
    made = flow(f'lines: {{each: {{in: "$.event.properties.items[*]", {body}, at_once: {at_once}, on_error: skip}}}}')
    machine = run(made, {"items": list(range(1_000)), "text": "x" * 60_000})
    assert machine.outcome == "failed"
    assert machine.reason == "the turns of the run's loops leave more than 16,777,216 characters and values"


def test_a_long_loop_hands_control_back_after_so_many_nodes():
    machine = Machine(flow(COUNTING), inputs({"outer": [0] * 5, "inner": [0] * 300}))
    advances = 0
    while not machine.over:
        assert machine.advance() == []
        advances += 1
        assert machine.resting != machine.over
    assert advances >= 5 * 301 // SLICE >= 5 * 301 // 16  # 16 nodes may take 80 ms, if each reads a long JSON text


# ---- a run as a value -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_error", ["stop", "skip"])
@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_a_loop_can_be_encoded_and_decoded_at_every_ask(at_once: int, on_error: str):
    made, replies = lookups(at_once, on_error), {"c": answer(status=500)} if on_error == "skip" else {}
    whole = answered(made, items(*"abcd"), replies, "dcba")
    state, waiting = advance_run(made, new_run(made, inputs(items(*"abcd"), ANN)))
    while waiting and state.outcome is None:
        state = msgspec.json.decode(msgspec.json.encode(state), type=Run)
        assert {asked.id for asked in Machine.from_run(made, state).outstanding()} == {asked.id for asked in waiting}
        asked = max(waiting, key=path_of)
        waiting.remove(asked)
        state, more = advance_run(made, state, (asked.node, replies.get(path_of(asked), answer(path_of(asked)))))
        waiting += more
    assert msgspec.json.encode(state) == msgspec.json.encode(whole.to_run())
    assert Machine.from_run(made, state).final_state().scope == whole.final_state().scope
    assert list(Machine.from_run(made, state).effects()) == list(whole.effects())


def test_a_decoded_loop_begins_no_turn_behind_one_that_has_failed_for_good():
    made = lookups(at_once=2)
    state, (first, second) = advance_run(made, new_run(made, inputs(items("a", "b", "c"), ANN)))
    state, more = advance_run(made, state, (second.node, no_answer(retriable=False)))
    assert more == []
    state, more = advance_run(made, msgspec.json.decode(msgspec.json.encode(state), type=Run))
    assert more == []
    state, more = advance_run(made, state, (first.node, answer("a")))
    assert more == []
    assert Machine.from_run(made, state).over


def test_a_replay_of_a_run_with_loops_has_the_same_result():
    machine = answered(lookups(3, "skip"), items(*"abcdef"), {"c": answer(status=500)}, "fbacde")
    replayed = machine.replay(Trace(step_clock()))
    assert replayed.to_run() == machine.to_run()
    assert list(replayed.effects()) == list(machine.effects())


def test_a_late_answer_to_a_dropped_turn_is_ignored():
    machine = Machine(lookups(3), inputs(items("a", "b", "c"), ANN))
    asks = machine.advance()
    machine.reply(asks[0].node, HttpReply(500))
    machine.advance()
    assert machine.over
    assert not machine.reply(asks[1].node, answer("b"))


# ---- in a run that waits --------------------------------------------------------------------------------------------


def test_a_run_with_a_loop_waits_behind_it_and_keeps_its_output():
    made = flow(
        """
        flow: f
        trigger: {event: paid}
        while_waiting: parallel
        nodes:
          lines: {each: {in: [1, 2], do: {x: {test.burst: 1}}, collect: "{{ item }}"}, next: nap}
          nap: {wait: 2h, next: more}
          more: {each: {in: "{{ nodes.lines.out.items }}", do: {y: {log: "{{ item }}"}}}}
        """,
        TYPES,
    )
    machine = Machine(made, inputs(profile=ANN))
    assert machine.advance() == []
    assert machine.paused
    paused = msgspec.json.decode(msgspec.json.encode(put_away(machine)), type=PausedRun)
    later = inputs(profile=ANN)
    machine = take_up(made, paused, later, initial_state(later))
    wake(machine, later.now + 7_200_000)
    machine.advance()
    assert [name for name, _ in machine.effects()] == ["more[0].y", "more[1].y"]


def test_a_run_is_not_paused_while_a_loop_goes_on():
    made = flow(
        """
        flow: f
        trigger: {event: paid}
        while_waiting: parallel
        start: [lines, nap]
        nodes:
          lines: {each: {in: "{{ event.properties.items }}", do: {x: {log: "x"}}}}
          nap: {wait: 2h}
        """
    )
    machine = Machine(made, inputs(items(*range(SLICE + 1)), ANN))
    machine.advance()
    assert (machine.resting, machine.paused) == (True, False)
    machine.advance()
    assert (machine.resting, machine.paused) == (False, True)


# ---- traces ---------------------------------------------------------------------------------------------------------


def test_a_trace_has_the_turns_with_their_steps():
    machine = answered(lookups(2, "skip"), items("a", "b"), {"b": answer(status=500)}, "ba")
    (step, _) = trace_of(machine)["steps"]
    assert (step["node"], step["port"], step["out"]["failed"]) == ("lines", "done", [1])
    assert step["in"] == {"in": ["a", "b"], "at_once": 2, "on_error": "skip"}
    first, second = step["turns"]
    assert [(each["node"], each["port"]) for each in first["steps"]] == [("price", "found"), ("line", "done")]
    assert (first["index"], first["item"], first["outcome"], first["not_run"]) == (0, "a", "finished", [])
    assert (second["outcome"], second["error"]) == ("failed", "lines[1].price: `crm` answered 500")
    assert second["not_run"] == [{"node": "line", "why": "price left by failed, not found"}]
    assert "turns_not_shown" not in step


def test_a_trace_of_a_long_loop_says_how_many_turns_it_does_not_show():
    body = "do: {x: {fail: bad, when: item == 1}}, on_error: skip"
    made = flow(f"lines: {{each: {{in: '{{{{ event.properties.items }}}}', {body}}}}}")
    machine = run(made, items(*([0] * 100), *([1] * 50)))
    step = trace_of(machine)["steps"][0]
    assert [turn["index"] for turn in step["turns"]] == [*range(10), *range(100, 110)]
    assert step["turns_not_shown"] == 130


def test_the_steps_of_turns_count_for_the_size_of_a_trace():
    made = flow("lines: {each: {in: '{{ event.properties.items }}', do: {x: {let: {y: '{{ item }}'}}}}}")
    machine = run(made, items(*["." * 4_000] * 100))
    document = trace_of(machine)
    assert len(msgspec.json.encode(document)) < 300_000
    assert len(document["steps"][0]["turns"]) == 10


def test_the_time_of_a_loop_is_that_of_all_its_slices():
    machine = run(flow(COUNTING), {"outer": [0] * 5, "inner": [0] * 300})
    step = trace_of(machine)["steps"][0]
    assert step["us"] > 1_000  # each look at the clock takes a microsecond


# ---- what the caller asks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("identify", "lacks"), [("refuse", True), ("trust", False)])
def test_a_turn_that_could_not_join_profiles_is_known_after_the_loop(identify: Identify, lacks: bool):
    made = flow(
        """
        lines:
          each:
            in: "{{ event.properties.items }}"
            do: {find: {profile.merge: {pii.email: "{{ item }}"}}}
            on_error: skip
        """
    )
    machine = Machine(made, inputs(items("x@y.z"), ANN, identify=identify))
    (asked,) = machine.advance_fully()
    machine.reply(asked.node, ProfilesReply((ProfileReply(BO, BO.id, cause="pii.email:1f"),)))
    machine.advance_fully()
    assert machine.could_not_identify() == lacks


# ---- messages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 3])
def test_messages_of_turns_count_for_the_limit_of_the_unit(at_once: int):
    made = flow(
        f"""
        lines:
          each:
            in: "{{{{ event.properties.items }}}}"
            do: {{tell: {{deliver.http: {{target: crm, body: "{{{{ item }}}}"}}}}}}
            at_once: {at_once}
            on_error: skip
        """
    )
    room = outbox_room(deliveries=3, message=1_000, total=10_000)
    machine = Machine(made, inputs(items(1, 2, 3), ANN, outbox=room))
    machine.advance_fully()
    assert (machine.outcome, machine.outbox.deliveries) == ("finished", 0)
    assert [name for name, _ in machine.effects()] == [f"lines[{i}].tell" for i in range(3)]
    machine = Machine(made, inputs(items(1, 2, 3, 4), ANN, outbox=room))
    machine.advance_fully()
    assert machine.outcome == "failed"
    assert machine.reason == "more than 3 deliveries in a unit (`deliveries.most_per_unit`)"


def test_messages_before_a_loop_and_in_it_count_together():
    tell = "{deliver.http: {target: crm, body: x}"
    made = flow(f"first: {tell}, next: lines}}\nlines: {{each: {{in: [1, 2], do: {{tell: {tell}}}}}}}}}")
    for limit, outcome in ((3, "finished"), (2, "failed")):
        room = outbox_room(deliveries=limit, message=1_000, total=10_000)
        machine = Machine(made, inputs({}, ANN, outbox=room))
        machine.advance_fully()
        assert machine.outcome == outcome
    assert machine.failed_at == "lines"


def test_a_message_that_is_too_large_fails_its_turn_only():
    made = flow(
        """
        lines:
          each:
            in: "{{ event.properties.items }}"
            do: {tell: {deliver.http: {target: crm, body: "{{ item }}"}}}
            on_error: skip
        """
    )
    room = outbox_room(deliveries=3, message=1_000, total=10_000)
    machine = Machine(made, inputs(items("a", "." * 2_000, "c"), ANN, outbox=room))
    machine.advance_fully()
    assert (out(machine, "lines")["failed"], machine.outbox.deliveries) == ([1], 1)

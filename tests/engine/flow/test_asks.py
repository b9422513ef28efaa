"""Asks: handed out together, tried again within their limits, answered in any order."""

from itertools import permutations

import pytest

from engine.flow.ask import Reply
from engine.flow.machine import Machine
from engine.flow.retry import MAX_ASKS, MAX_BACKOFF_MS
from engine.flow.run import IssuedAsk
from tests.engine.flow.build import answer, flow, http, inputs, out, person, ports, run, silence, traits, why
from tests.engine.flow.node_types import TYPES

ASKING = "a: {test.ask: /, %s, next: {done: b, failed: c}}\nb: {log: x}\nc: {log: x}"


def attempts(setting: str, *replies: Reply) -> tuple[Machine, list[IssuedAsk]]:
    """A run of one asking node, given these replies one after the other, and everything that it asked."""
    machine = Machine(flow(ASKING % setting, TYPES), inputs())
    asked = machine.advance()
    for reply in replies:
        machine.reply(0, reply)
        asked += machine.advance()
    return machine, asked


def test_parallel_asks_are_handed_out_together():
    text = "s: {log: x, next: [a, b, c]}\na: {test.ask: /a}\nb: {test.ask: /b}\nc: {test.ask: /c}"
    asked = Machine(flow(text, TYPES), inputs()).advance()
    assert [(one.id, http(one).path, one.number, one.attempt) for one in asked] == [
        ("a", "/a", 1, 1),
        ("b", "/b", 1, 1),
        ("c", "/c", 1, 1),
    ]


def test_the_order_of_the_replies_does_not_matter():
    text = """
    s: {log: x, next: [a, b, c]}
    a: {test.ask: /a, next: {left: set_a, done: set_b, failed: end}}
    b: {test.ask: /b, next: {left: set_b, failed: end}}
    c: {test.ask: /c, next: {left: end, failed: set_a}}
    set_a: {profile.set: {traits.x: a}, next: end}
    set_b: {profile.set: {traits.x: b}, next: end}
    end: {let: {x: "{{ profile.traits.x | default('-') }}"}}
    """
    replies: dict[str, Reply] = {"a": answer("left"), "b": answer("left"), "c": silence()}
    ends = []
    for order in permutations("abc"):
        machine = Machine(flow(text, TYPES), inputs(profile=person()))
        asked = {one.id: one for one in machine.advance()}
        for id in order:
            machine.reply(asked[id].node, replies[id])
            machine.advance()
        ends.append((dict(sorted(ports(machine).items())), out(machine, "end"), traits(machine), machine.outcome))
    assert ends == [ends[0]] * 6
    assert ends[0][1] == {"x": "b"}


def test_silence_leaves_by_failed_at_once_without_retry():
    machine, asked = attempts("timeout: 250ms", silence())
    assert (len(asked), ports(machine)) == (1, {"a": "failed", "c": "done"})


def test_an_ask_is_tried_again_and_may_succeed():
    machine, asked = attempts("retry: {times: 2}", silence(), answer())
    assert [(one.number, one.attempt) for one in asked] == [(1, 1), (1, 2)]
    assert ports(machine) == {"a": "done", "b": "done"}


def test_an_ask_is_tried_no_more_often_than_it_says():
    machine, asked = attempts("retry: {times: 2}", silence(), silence(), silence())
    assert ([one.attempt for one in asked], ports(machine)["a"]) == ([1, 2, 3], "failed")


def test_what_cannot_be_tried_again_is_not():
    machine, asked = attempts("retry: {times: 2}", silence(retriable=False))
    assert (len(asked), ports(machine)["a"]) == (1, "failed")


def test_an_answer_is_not_tried_again_whatever_it_says():
    machine, asked = attempts("retry: {times: 2}", answer("left", status=500))
    assert (len(asked), ports(machine)["a"]) == (1, "left")


def test_the_backoff_doubles():
    _, asked = attempts("retry: {times: 4, backoff: 100ms}", *[silence()] * 4)
    assert [one.delay_ms for one in asked] == [0, 100, 200, 400, 800]


def test_the_backoff_is_capped():
    _, asked = attempts("retry: {times: 4, backoff: 25s}", *[silence()] * 4)
    assert [one.delay_ms for one in asked] == [0, 25_000, 50_000, MAX_BACKOFF_MS, MAX_BACKOFF_MS]


def test_timeout_bounds_each_attempt():
    _, asked = attempts("timeout: 250ms, retry: {times: 1}", silence())
    assert [http(one).timeout_ms for one in asked] == [250, 250]


def test_without_timeout_an_attempt_has_two_seconds():
    _, asked = attempts("join: settled")
    assert [http(one).timeout_ms for one in asked] == [2_000]


def test_deadline_bounds_all_attempts_with_their_backoff():
    setting = "timeout: 1s, deadline: 2500ms, retry: {times: 10, backoff: 200ms}"
    machine, asked = attempts(setting, silence(1_000), silence(1_000), silence(100))
    assert [(one.delay_ms, http(one).timeout_ms) for one in asked] == [(0, 1_000), (200, 1_000), (400 - 300, 100)][:2]
    assert ports(machine)["a"] == "failed"


def test_the_last_attempt_gets_what_is_left_of_the_deadline():
    setting = "timeout: 1s, deadline: 2s, retry: {times: 10, backoff: 100ms}"
    _, asked = attempts(setting, silence(500), silence(500))
    assert [http(one).timeout_ms for one in asked] == [1_000, 1_000, 700]


def test_a_deadline_shorter_than_the_timeout_is_the_timeout():
    _, asked = attempts("timeout: 2s, deadline: 300ms")
    assert [http(one).timeout_ms for one in asked] == [300]


PAGES = "a: {test.pages: /1, %s next: {done: b, failed: c}}\nb: {log: x}\nc: {log: x}"


def page(following: str | None, took_ms: int = 10) -> Reply:
    return answer({"next": following}, took_ms=took_ms)


def test_a_node_may_ask_again():
    machine = Machine(flow(PAGES % "", TYPES), inputs())
    asked = machine.advance()
    for reply in (page("/2"), page("/3"), page(None)):
        machine.reply(0, reply)
        asked += machine.advance()
    assert [(http(one).path, one.number) for one in asked] == [("/1", 1), ("/2", 2), ("/3", 3)]
    assert out(machine, "a") == {"last": {"next": None}}
    assert [call.attempt for call in machine.settled[0].calls] == [1, 1, 1]


def test_asking_again_begins_the_attempts_anew():
    machine = Machine(flow(PAGES % "retry: {times: 1, backoff: 100ms},", TYPES), inputs())
    asked = machine.advance()
    for reply in (silence(), page("/2"), silence(), page(None)):
        machine.reply(0, reply)
        asked += machine.advance()
    assert [(one.number, one.attempt, one.delay_ms) for one in asked] == [
        (1, 1, 0),
        (1, 2, 100),
        (2, 1, 0),
        (2, 2, 100),
    ]
    assert ports(machine) == {"a": "done", "b": "done"}


def test_a_node_does_not_ask_for_ever():
    machine = run(flow(PAGES % "", TYPES), answers={"a": [page("/again")] * 50})
    assert (ports(machine), why(machine, "a")) == (
        {"a": "failed", "c": "done"},
        f"it asked more than {MAX_ASKS} times",
    )
    assert len(machine.settled[0].calls) == MAX_ASKS


def test_deadline_bounds_all_pages():
    machine = run(flow(PAGES % "deadline: 1s,", TYPES), answers={"a": [page("/2", 600), page("/3", 600)]})
    assert (ports(machine)["a"], why(machine, "a")) == ("failed", "its deadline of 1s has passed")


def test_a_reply_of_another_kind_is_up_to_the_node():
    machine, _ = attempts("timeout: 1s", silence())
    assert why(machine, "a") == "it took too long"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_with_join_any_the_order_of_the_replies_decides(order: tuple[int, int]):
    text = """
    s: {log: x, next: [a, b]}
    a: {test.ask: /a, next: end}
    b: {test.ask: /b, next: end}
    end: {let: {seen: "{{ nodes }}"}, join: any}
    """
    machine = Machine(flow(text, TYPES), inputs())
    asked = machine.advance()
    for i in order:
        machine.reply(asked[i].node, answer())
        machine.advance()
    assert list(out(machine, "end")["seen"]) == ["ab"[order[0]]]

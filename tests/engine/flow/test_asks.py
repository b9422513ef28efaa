"""Asks: issued together, retried within their limits, answered in any order."""

from itertools import permutations

import pytest

from engine.flow.ask import NoAnswer, Reply
from engine.flow.machine import Machine
from engine.flow.retry import MAX_ASKS, MAX_BACKOFF_MS
from engine.flow.run import IssuedAsk
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
    stored_profile,
    traits,
)
from tests.engine.flow.node_types import TYPES

ASKING = "a: {test.ask: /, %s, next: {done: b, failed: c}}\nb: {log: x}\nc: {log: x}"


def attempts(setting: str, *replies: Reply) -> tuple[Machine, list[IssuedAsk]]:
    """A run of one asking node that gets these replies, one after the other, and all the asks that it issues."""
    machine = Machine(flow(ASKING % setting, TYPES), inputs())
    asked = machine.advance()
    for reply in replies:
        machine.reply(0, reply)
        asked += machine.advance()
    return machine, asked


def test_parallel_asks_are_issued_together():
    text = "s: {log: x, next: [a, b, c]}\na: {test.ask: /a}\nb: {test.ask: /b}\nc: {test.ask: /c}"
    asked = Machine(flow(text, TYPES), inputs()).advance()
    assert [(issued.id, http(issued).path, issued.number, issued.attempt) for issued in asked] == [
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
    replies: dict[str, Reply] = {"a": answer("left"), "b": answer("left"), "c": no_answer()}
    ends = []
    for order in permutations("abc"):
        machine = Machine(flow(text, TYPES), inputs(profile=stored_profile()))
        asked = {issued.id: issued for issued in machine.advance()}
        for id in order:
            machine.reply(asked[id].node, replies[id])
            machine.advance()
        ends.append((dict(sorted(ports(machine).items())), out(machine, "end"), traits(machine), machine.outcome))
    assert ends == [ends[0]] * 6
    assert ends[0][1] == {"x": "b"}


def test_without_retry_a_missing_answer_leaves_by_failed_at_once():
    machine, asked = attempts("timeout: 250ms", no_answer())
    assert (len(asked), ports(machine)) == (1, {"a": "failed", "c": "done"})


def test_an_ask_is_retried_and_may_succeed():
    machine, asked = attempts("retry: {times: 2}", no_answer(), answer())
    assert [(issued.number, issued.attempt) for issued in asked] == [(1, 1), (1, 2)]
    assert ports(machine) == {"a": "done", "b": "done"}


def test_an_ask_is_retried_at_most_as_often_as_configured():
    machine, asked = attempts("retry: {times: 2}", no_answer(), no_answer(), no_answer())
    assert ([issued.attempt for issued in asked], ports(machine)["a"]) == ([1, 2, 3], "failed")


def test_a_failure_that_is_not_retriable_is_not_retried():
    machine, asked = attempts("retry: {times: 2}", no_answer(retriable=False))
    assert (len(asked), ports(machine)["a"]) == (1, "failed")


def test_an_ask_with_an_answer_is_not_retried_whatever_its_status():
    machine, asked = attempts("retry: {times: 2}", answer("left", status=500))
    assert (len(asked), ports(machine)["a"]) == (1, "left")


def test_the_backoff_doubles():
    _, asked = attempts("retry: {times: 4, backoff: 100ms}", *[no_answer()] * 4)
    assert [issued.delay_ms for issued in asked] == [0, 100, 200, 400, 800]


def test_the_backoff_is_capped():
    _, asked = attempts("retry: {times: 4, backoff: 25s}", *[no_answer()] * 4)
    assert [issued.delay_ms for issued in asked] == [0, 25_000, 50_000, MAX_BACKOFF_MS, MAX_BACKOFF_MS]


def asking_for_a_pause(ms):
    return NoAnswer("status", "the target answered 429", status=429, took_ms=10, retry_after_ms=ms)


def test_a_pause_that_the_target_asks_for_replaces_a_shorter_backoff():
    _, asked = attempts("retry: {times: 2, backoff: 1s}", asking_for_a_pause(3_000), asking_for_a_pause(500))
    assert [issued.delay_ms for issued in asked] == [0, 3_000, 2_000]


@pytest.mark.parametrize("setting", ["deadline: 3s, retry: {times: 2}", "retry: {times: 2, backoff: 1s}"])
def test_an_ask_is_not_retried_when_the_target_asks_for_more_than_the_deadline_allows(setting):
    machine, asked = attempts(setting, asking_for_a_pause(61_000))
    assert (len(asked), ports(machine)["a"]) == (1, "failed")


def test_timeout_bounds_each_attempt():
    _, asked = attempts("timeout: 250ms, retry: {times: 1}", no_answer())
    assert [http(issued).timeout_ms for issued in asked] == [250, 250]


def test_the_default_timeout_is_two_seconds():
    _, asked = attempts("join: settled")
    assert [http(issued).timeout_ms for issued in asked] == [2_000]


def test_deadline_bounds_all_attempts_with_their_backoff():
    setting = "timeout: 1s, deadline: 2500ms, retry: {times: 10, backoff: 200ms}"
    machine, asked = attempts(setting, no_answer(1_000), no_answer(1_000), no_answer(100))
    assert [(issued.delay_ms, http(issued).timeout_ms) for issued in asked] == [
        (0, 1_000),
        (200, 1_000),
        (400 - 300, 100),
    ][:2]
    assert ports(machine)["a"] == "failed"


def test_the_last_attempt_gets_the_rest_of_the_deadline():
    setting = "timeout: 1s, deadline: 2s, retry: {times: 10, backoff: 100ms}"
    _, asked = attempts(setting, no_answer(500), no_answer(500))
    assert [http(issued).timeout_ms for issued in asked] == [1_000, 1_000, 700]


def test_a_deadline_that_is_shorter_than_the_timeout_replaces_it():
    _, asked = attempts("timeout: 2s, deadline: 300ms")
    assert [http(issued).timeout_ms for issued in asked] == [300]


PAGES = "a: {test.pages: /1, %s next: {done: b, failed: c}}\nb: {log: x}\nc: {log: x}"


def page(next_page: str | None, took_ms: int = 10) -> Reply:
    return answer({"next": next_page}, took_ms=took_ms)


def test_a_node_may_issue_several_asks():
    machine = Machine(flow(PAGES % "", TYPES), inputs())
    asked = machine.advance()
    for reply in (page("/2"), page("/3"), page(None)):
        machine.reply(0, reply)
        asked += machine.advance()
    assert [(http(issued).path, issued.number) for issued in asked] == [("/1", 1), ("/2", 2), ("/3", 3)]
    assert out(machine, "a") == {"last": {"next": None}}
    assert [call.attempt for call in machine.settled[0].calls] == [1, 1, 1]


def test_every_ask_of_a_node_has_attempts_of_its_own():
    machine = Machine(flow(PAGES % "retry: {times: 1, backoff: 100ms},", TYPES), inputs())
    asked = machine.advance()
    for reply in (no_answer(), page("/2"), no_answer(), page(None)):
        machine.reply(0, reply)
        asked += machine.advance()
    assert [(issued.number, issued.attempt, issued.delay_ms) for issued in asked] == [
        (1, 1, 0),
        (1, 2, 100),
        (2, 1, 0),
        (2, 2, 100),
    ]
    assert ports(machine) == {"a": "done", "b": "done"}


def test_the_number_of_asks_of_a_node_is_limited():
    machine = run(flow(PAGES % "", TYPES), answers={"a": [page("/again")] * 50})
    assert (ports(machine), reason_of(machine, "a")) == (
        {"a": "failed", "c": "done"},
        f"it asked more than {MAX_ASKS} times",
    )
    assert len(machine.settled[0].calls) == MAX_ASKS


def test_deadline_bounds_all_pages():
    machine = run(flow(PAGES % "deadline: 1s,", TYPES), answers={"a": [page("/2", 600), page("/3", 600)]})
    assert (ports(machine)["a"], reason_of(machine, "a")) == ("failed", "its deadline of 1s has passed")


def test_the_node_decides_what_a_missing_answer_means():
    machine, _ = attempts("timeout: 1s", no_answer())
    assert reason_of(machine, "a") == "it took too long"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_with_join_any_the_order_of_the_replies_decides(order: tuple[int, int]):
    text = """
    s: {log: x, next: [a, b]}
    a: {test.ask: /a, next: end}
    b: {test.ask: /b, next: end}
    end: {let: {value: "{{ nodes }}"}, join: any}
    """
    machine = Machine(flow(text, TYPES), inputs())
    asked = machine.advance()
    for i in order:
        machine.reply(asked[i].node, answer())
        machine.advance()
    assert list(out(machine, "end")["value"]) == ["ab"[order[0]]]

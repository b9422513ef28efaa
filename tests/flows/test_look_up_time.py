"""Look-ups that may take longer than a sender waits are reported, with a remedy that is none too little."""

import pytest

from engine.flow.compile import compile_flow
from engine.flow.names import ProjectNames
from engine.flow.plan import Flow
from engine.problem import Problem
from engine.project.source import Source
from flows.look_up_time import late_look_ups, slowest_path
from flows.reader import read_yaml
from nodes import builtin

SHOP = Source(source="shop")
CALL = "lookup.http: {target: crm}"


def flow_of(*nodes: str, trigger: str = "{event: order-paid}", start: str = "") -> Flow:
    text = f"flow: a\ntrigger: {trigger}\n{start}nodes:\n" + "".join(f"  {node}\n" for node in nodes)
    names = ProjectNames(targets=frozenset({"crm"}), sources=frozenset({"shop", "page"}))
    flow, problems = compile_flow(read_yaml(text, "a.yaml").data, names, builtin())
    assert flow is not None, problems
    return flow


def found(flow: Flow, *sources: Source) -> list[Problem]:
    return list(late_look_ups(flow, sources or (SHOP,)))


@pytest.mark.parametrize(("settings", "total"), [
    pytest.param("", 2_000, id="the default timeout"),
    pytest.param(", timeout: 700ms", 700, id="a timeout"),
    pytest.param(", retry: {times: 2, backoff: 100ms}", 6_300, id="retries, each after a longer pause"),
    pytest.param(", timeout: 1s, retry: {times: 10, backoff: 1m}", 611_000, id="pauses of a minute at most"),
    pytest.param(", retry: {times: 9}, deadline: 3s", 3_000, id="a deadline"),
    pytest.param(", timeout: 1s, deadline: 3s", 1_000, id="a deadline that is never reached"),
    pytest.param(", timeout: 9s, disabled: true", 0, id="disabled"),
])  # fmt: skip
def test_the_time_of_a_look_up_has_all_its_attempts_and_pauses(settings: str, total: int) -> None:
    assert slowest_path(flow_of(f"one: {{{CALL}{settings}}}"))[0] == total


@pytest.mark.parametrize(("nodes", "start", "path"), [
    pytest.param((f"one: {{{CALL}, next: {{found: two}}}}", f"two: {{{CALL}}}"), "", ["one", "two"], id="in a row"),
    pytest.param(
        (f"one: {{{CALL}, next: {{failed: two}}}}", f"two: {{{CALL}}}"), "", ["one", "two"], id="after a failure"
    ),
    pytest.param((f"one: {{{CALL}}}", f"two: {{{CALL}}}"), "start: [one, two]\n", ["one"], id="side by side"),
    pytest.param(
        (f"one: {{{CALL}, next: three}}", f"two: {{{CALL}, timeout: 1s, next: three}}", f"three: {{{CALL}}}"),
        "start: [one, two]\n", ["one", "three"], id="the slower of two branches",
    ),
    pytest.param(
        (f"one: {{{CALL}, next: note}}", "note: {log: x, next: two}", f"two: {{{CALL}}}"),
        "", ["one", "two"], id="with another node between",
    ),
    pytest.param(("one: {profile.attach: {key: {pii.email: x}}}",), "", [], id="the own store"),
])  # fmt: skip
def test_the_times_of_look_ups_on_one_path_add_up(nodes: tuple[str, ...], start: str, path: list[str]) -> None:
    assert [node.id for node in slowest_path(flow_of(*nodes, start=start))[1]] == path


def test_look_ups_that_fit_are_not_reported() -> None:
    two = (f"one: {{{CALL}, next: two}}", f"two: {{{CALL}, timeout: 3s}}")
    assert found(flow_of(*two)) == []


def test_look_ups_that_do_not_fit_are_reported_at_the_last_one() -> None:
    (problem,) = found(flow_of(f"one: {{{CALL}, next: two}}", f"two: {{{CALL}, retry: {{times: 1}}}}"))
    assert (problem.code, problem.severity, problem.path) == ("H438", "warning", ("nodes", "two"))
    assert "`one`, `two` may take 6.5 s in all, and `shop` waits 5 s" in problem.message
    assert problem.help.startswith("write `deadline: 2500ms` at each of them")
    assert "`answer_within: 7000`" in problem.help


def test_what_is_proposed_fits() -> None:
    late = f"one: {{{CALL}, retry: {{times: 9}}"
    (problem,) = found(flow_of(late + "}"))
    assert "`deadline: 5s`" in problem.help
    assert "answer_within" not in problem.help  # no source may wait as long
    assert found(flow_of(late + ", deadline: 5s}")) == []


def test_the_most_impatient_source_that_starts_the_flow_counts() -> None:
    page = Source(source="page", answer_within=1_500)
    both = flow_of(f"one: {{{CALL}}}")
    assert ["`page` waits 1.5 s" in problem.message for problem in found(both, SHOP, page)] == [True]
    assert found(flow_of(f"one: {{{CALL}}}", trigger="{event: x, source: shop}"), SHOP, page) == []
    assert found(both, SHOP, Source(source="page", answer_within=1_500, enabled=False)) == []


def test_a_loop_takes_as_long_as_one_turn() -> None:
    turn = f"do: {{one: {{{CALL}, next: two}}, two: {{{CALL}, retry: {{times: 1}}}}}}"
    looping = flow_of(f'each: {{each: {{in: "$.event.properties.items[*]", {turn}}}}}')
    (problem,) = found(looping)
    assert problem.path == ("nodes", "each")
    assert "`each` may take 6.5 s" in problem.message
    assert problem.help.startswith("write shorter timeouts")


def test_look_ups_behind_a_wait_have_no_budget() -> None:
    late = f"{CALL}, retry: {{times: 9}}"
    waits = "nap: {wait: 2h, next: one}"
    assert found(flow_of(waits, f"one: {{{late}}}", start="while_waiting: parallel\n")) == []
    before = flow_of(f"one: {{{late}, next: nap}}", "nap: {wait: 2h}", start="while_waiting: parallel\n")
    assert len(found(before)) == 1


def test_a_flow_with_a_schedule_has_no_budget() -> None:
    late = f"one: {{{CALL}, retry: {{times: 9}}}}"
    assert found(flow_of(late, trigger="{schedule: '0 6 * * *', timezone: Europe/Berlin}")) == []


def test_a_flow_that_no_source_starts_has_no_budget() -> None:
    assert list(late_look_ups(flow_of(f"one: {{{CALL}, retry: {{times: 9}}}}"), ())) == []

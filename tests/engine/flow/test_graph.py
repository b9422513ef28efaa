"""The graph: cycles, unreachable nodes, conflicts of parallel branches, flows without a profile."""

import pytest

from engine.flow.node import Node
from nodes import builtin
from tests.engine.flow.build import compiled, document, flow, problems_of, warnings_of
from tests.engine.flow.node_types import TYPES

COMMUTING = {
    *("profile.increment", "profile.add", "profile.remove", "profile.append", "profile.count"),
    *("segment.add", "segment.remove"),
}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        pytest.param("a: {log: x, next: a}", "a → a", id="a node that follows itself"),
        pytest.param("a: {log: x, next: b}\nb: {log: x, next: a}", "a → b → a", id="two nodes"),
        pytest.param(
            "a: {log: x, next: b}\nb: {log: x, next: c}\nc: {log: x, next: [d, b]}\nd: {log: x}",
            "b → c → b",
            id="without the path to the cycle",
        ),
        pytest.param(
            "a: {if: event.id, next: {else: b}}\nb: {log: x, next: {failed: a}}", "a → b → a", id="through any port"
        ),
        pytest.param("a: {log: x}\nb: {log: x, next: c}\nc: {log: x, next: b}", "b → c → b", id="out of reach"),
    ],
)
def test_a_cycle_is_reported_as_a_path(nodes: str, message: str):
    problems = compiled(nodes)[1]
    assert [(p.code, p.message) for p in problems] == [("H301", f"nodes form a cycle: {message}")]


def test_a_cycle_is_reported_at_the_edge_that_closes_it():
    assert problems_of("a: {log: x, next: b}\nb: {log: x, next: [c, a]}\nc: {log: x}") == [("H301", "nodes.b.next.1")]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param("a: {log: x}\nb: {log: x}", [("H302", "nodes.b")], id="no edge leads to it"),
        pytest.param("a: {log: x}\nb: {log: x, next: c}\nc: {log: x}", [("H302", "nodes.b")], id="reported once"),
        pytest.param("b: {log: x}\na: {log: x, next: b}", [("H302", "nodes.a")], id="a node before the first"),
        pytest.param("a: {log: x, next: {failed: b}}\nb: {log: x}", [], id="an edge from any port"),
    ],
)
def test_a_node_that_is_never_reached_is_an_error(nodes: str, expected: list[tuple[str, str]]):
    assert problems_of(nodes) == expected


def test_a_start_needs_no_edge():
    text = "{flow: f, trigger: {event: x}, start: [a, b], nodes: {a: {log: x}, b: {log: x}}}"
    assert problems_of(text) == []


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param("a: {lookup.http: {target: crm}}", ["H303"], id="not wired at all"),
        pytest.param("a: {lookup.http: {target: crm}, next: b}\nb: {log: x}", ["H303"], id="only the main port"),
        pytest.param("a: {lookup.http: {target: crm}, next: {failed: b}}\nb: {log: x}", [], id="wired"),
        pytest.param("a: {log: x}", [], id="a node that normally does not fail"),
    ],
)
def test_an_unwired_failed_of_a_node_that_may_fail_gets_a_warning(nodes: str, expected: list[str]):
    assert warnings_of(nodes) == expected


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param(
            "s: {if: event.id, next: {then: a, else: end}}\na: {log: x, next: end}\nend: {log: x, join: all}",
            ["H310"],
            id="then and else",
        ),
        pytest.param(
            "s: {if: event.id, next: {then: [a, b]}}\na: {log: x, next: end}\nb: {log: x, next: end}\n"
            "end: {log: x, join: all}",
            [],
            id="both after then",
        ),
        pytest.param(
            "s: {if: event.id, next: {then: end, else: end}}\nend: {log: x, join: all}",
            [],
            id="then and else, one node",
        ),
    ],
)
def test_join_all_of_branches_that_exclude_each_other_never_runs(nodes: str, expected: list[str]):
    assert [code for code, _ in problems_of(nodes)] == expected


# ---- parallel branches -----------------------------------------------------------------------------------------------


def parallel(a: str, b: str, split: str = "log: x, next: [a, b]") -> str:
    return f"s: {{{split}}}\na: {{{a}}}\nb: {{{b}}}"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param("profile.set: {traits.x: 1}", "profile.set: {traits.x: 2}", id="two values at one path"),
        pytest.param("profile.set: {traits.x: 1}", "profile.set: {traits.x.y: 2}", id="one below the other"),
        pytest.param("profile.set: {traits.x: 1}", "profile.increment: {traits.x: 2}", id="setting and counting"),
        pytest.param("profile.add: {traits.x: a}", "profile.remove: {traits.x: a}", id="adding and removing"),
        pytest.param("profile.set: {traits.x: 1}", "profile.unset: traits.x", id="setting and unsetting"),
        pytest.param(
            "profile.increment: {traits.x: 1}", "profile.increment: {traits.x.y: 1}", id="counting below the path"
        ),
        pytest.param("segment.add: vip", "segment.remove: [late, vip]", id="into a segment and out of it"),
        pytest.param("event.set: {properties.x: 1}", "event.set: {properties.x: 2}", id="the event"),
        pytest.param("session.set: {properties.x: 1}", "session.set: {properties.x: 2}", id="the session"),
        pytest.param(
            "profile.set: {traits.x: 1}", "log: '{{ profile.traits.x }}'", id="one reads a path that the other writes"
        ),
        pytest.param("log: '{{ profile.traits.x }}'", "profile.set: {traits.x: 1}", id="in either order"),
        pytest.param("profile.set: {traits.x: 1}", "if: profile.traits.x.y == 1", id="reading below the path"),
        pytest.param("profile.set: {traits.x: 1}", "log: x, when: profile.traits.x == 1", id="reading in a when"),
        pytest.param("profile.increment: {traits.x: 1}", "if: profile.traits.x > 1", id="reading a count"),
        pytest.param("segment.add: vip", "if: \"'vip' in profile.segments\"", id="reading the segments"),
        pytest.param("event.set: {properties.x: 1}", "log: '{{ event.properties.x }}'", id="reading the event"),
    ],
)
def test_conflicting_parallel_branches_get_a_warning(a: str, b: str):
    assert warnings_of(parallel(a, b)) == ["H306"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param("profile.set: {traits.x: 1}", "profile.set: {traits.y: 2}", id="two paths"),
        pytest.param("profile.increment: {traits.x: 1}", "profile.increment: {traits.x: 2}", id="both count"),
        pytest.param("profile.add: {traits.x: a}", "profile.add: {traits.x: b}", id="both are added"),
        pytest.param("profile.remove: {traits.x: a}", "profile.remove: {traits.x: b}", id="both are removed"),
        pytest.param("profile.append: {traits.x: a}", "profile.append: {traits.x: b}", id="both are appended"),
        pytest.param("segment.add: vip", "segment.add: vip", id="both into one segment"),
        pytest.param("segment.add: vip", "segment.remove: late", id="two segments"),
        pytest.param(
            "lookup.profile: {key: {pii.email: a}}",
            "lookup.profile: {key: {pii.email: b}}",
            id="lookups write nothing",
        ),
        pytest.param("profile.set: {traits.x: 1}", "event.set: {properties.x: 1}", id="profile and event"),
        pytest.param("log: '{{ profile.traits.x }}'", "if: profile.traits.x > 1", id="both read"),
    ],
)
def test_parallel_branches_without_conflict_get_no_warning(a: str, b: str):
    assert warnings_of(parallel(a, b)) == []


@pytest.mark.parametrize(
    "split",
    [
        pytest.param("if: event.id, next: {then: a, else: b}", id="then and else"),
        pytest.param("switch: {one: event.id, two: event.id}, next: {one: a, two: b}", id="two cases"),
        pytest.param("switch: {one: event.id}, next: {one: a, default: b}", id="a case and the default"),
        pytest.param("log: x, when: event.id, next: {done: a, skipped: b}", id="done and skipped"),
        pytest.param("log: x, next: {done: a, failed: b}", id="done and failed"),
        pytest.param("if: event.id, next: {then: a, else: m}}\nm: {log: x, next: b", id="with a node between"),
        pytest.param(
            "if: event.id, next: {then: [m, n], else: b}}\nm: {log: x, next: a}\nn: {log: x, next: a",
            id="after a join",
        ),
    ],
)
def test_branches_that_exclude_each_other_do_not_conflict(split: str):
    assert warnings_of(parallel("profile.set: {traits.x: 1}", "profile.set: {traits.x: 2}", split)) == []


def test_nodes_in_sequence_do_not_conflict():
    assert warnings_of("a: {profile.set: {traits.x: 1}, next: b}\nb: {profile.set: {traits.x: 2}}") == []


def test_branches_of_two_ifs_may_both_run():
    text = """
    s: {log: x, next: [one, two]}
    one: {if: event.id, next: {then: a}}
    two: {if: event.id, next: {else: b}}
    a: {profile.set: {traits.x: 1}}
    b: {profile.set: {traits.x: 2}}
    """
    assert warnings_of(text) == ["H306"]


@pytest.mark.parametrize("attach", ["profile.attach: {id: x}", "session.attach: x"])
def test_two_parallel_attach_nodes_are_an_error(attach: str):
    assert problems_of(parallel(attach, attach)) == [("H307", "nodes.b")]


def test_two_attach_nodes_that_exclude_each_other_are_valid():
    assert (
        problems_of(
            parallel("profile.attach: {id: x}", "profile.attach: {id: y}", "if: event.id, next: {then: a, else: b}")
        )
        == []
    )


def test_exactly_the_types_whose_effects_all_count_commute():
    assert {str(node.__struct_config__.tag) for node in builtin() if node.commutes} == COMMUTING


# ---- profile: none ---------------------------------------------------------------------------------------------------


def without_profile(nodes: str, when: str = "") -> dict[str, object]:
    trigger = {"event": "paid", **({"when": when} if when else {})}
    return {**document(nodes), "profile": "none", "trigger": trigger}


@pytest.mark.parametrize(
    "node", [pytest.param(t, id=str(t.__struct_config__.tag)) for t in builtin() if t.uses_profile]
)
def test_a_flow_without_profile_cannot_have_a_node_that_uses_one(node: type[Node]):
    type = str(node.__struct_config__.tag)
    configs = {
        "profile.alias": "x",
        "profile.count": "x",
        "profile.attach": "{id: x}",
        "profile.unset": "traits.x",
        "profile.copy": "{traits: {x: 1}}",
        "consent.set": "{mail: true}",
        "lookup.profile": "{id: x}",
        "profile.merge": "{pii.email: x}",
        "profile.increment": "{traits.x: 1}",
        "wait": "2h",
        "wait.for": "{event: x}",
        "wait.until": "{time: '09:00'}",
        "split": "{a: 1}",
        "throttle": "{most: 1, per: 1h}",
        "deduplicate": "{value: x, within: 1h}",
    }
    config = configs.get(type, "vip" if type.startswith("segment.") else "{traits.x: a}")
    timeout = ", timeout: 1h" if type == "wait.for" else ""
    found = problems_of(without_profile(f"a: {{{type}: {config}{timeout}}}"))
    assert [problem for problem in found if problem != ("H102", "flow")] == [("H308", f"nodes.a.{type}")]


@pytest.mark.parametrize(
    ("node", "path"),
    [
        pytest.param("log: '{{ profile.id }}'", "nodes.a.log", id="in a template"),
        pytest.param("log: \"{{ profile.id | default('-') }}\"", "nodes.a.log", id="with a default"),
        pytest.param("if: profile.traits.x > 1", "nodes.a.if", id="in a condition"),
        pytest.param("switch: {x: profile.id}", "nodes.a.switch.x", id="in a case"),
        pytest.param("log: x, when: profile is defined", "nodes.a.when", id="in a when"),
        pytest.param("let: {x: [{y: '$.profile.traits[*]'}]}", "nodes.a.let.x.0.y", id="in a JSONPath"),
    ],
)
def test_a_flow_without_profile_cannot_read_one(node: str, path: str):
    assert problems_of(without_profile(f"a: {{{node}}}")) == [("H308", path)]


def test_the_trigger_of_a_flow_without_profile_cannot_read_one():
    assert problems_of(without_profile("a: {log: x}", "profile.traits.x == 1")) == [("H308", "trigger.when")]


def test_a_flow_without_profile_may_have_all_other_nodes():
    text = """
    a: {cache.get: x, next: {found: b, missing: c, failed: d}}
    b: {event.set: {properties.x: "{{ nodes.a.out }}"}}
    c: {session.set: {properties.x: 1}}
    d: {respond: {x: 1}}
    """
    assert problems_of(without_profile(text)) == []


def test_flows_of_the_test_node_types_compile():
    assert [node.id for node in flow("a: {test.way: left, next: {left: b}}\nb: {test.ask: /x}", TYPES).nodes] == [
        "a",
        "b",
    ]

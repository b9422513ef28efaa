"""Outputs in the graph: reads that come too early, may find nothing, or name what a node does not have."""

import pytest

from tests.engine.flow.build import compiled, problems_of

OUTPUT = "{{ nodes.a.out.x }}"


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param(f"a: {{let: {{x: 1}}, next: b}}\nb: {{log: '{OUTPUT}'}}", [], id="the node before"),
        pytest.param(
            f"a: {{let: {{x: 1}}, next: b}}\nb: {{log: x, next: c}}\nc: {{log: '{OUTPUT}'}}", [], id="an earlier node"
        ),
        pytest.param("a: {log: '{{ nodes.z.out }}'}", ["H117"], id="an unknown node"),
        pytest.param("a: {log: '{{ nodes.a.out }}'}", ["H304"], id="the node itself"),
        pytest.param("b: {log: '{{ nodes.a.out.x }}', next: a}\na: {let: {x: 1}}", ["H304"], id="a later node"),
        pytest.param(
            "s: {log: x, next: [a, b]}\na: {let: {x: 1}}\nb: {log: '{{ nodes.a.out.x }}'}", ["H304"], id="in parallel"
        ),
        pytest.param("a: {let: {x: 1}, next: b}\nb: {log: '{{ nodes.a.x }}'}", ["H304"], id="without out"),
        pytest.param(
            "b: {log: \"{{ nodes.a.out.x | default('no') }}\", next: a}\na: {let: {x: 1}}",
            ["H304"],
            id="a default does not help when it never ran",
        ),
        pytest.param(
            "b: {if: nodes.a.out.x is defined, next: a}\na: {let: {x: 1}}", ["H304"], id="a test does not help either"
        ),
        pytest.param("b: {log: x, when: nodes.a.out.x == 1, next: a}\na: {let: {x: 1}}", ["H304"], id="in a condition"),
    ],
)
def test_an_output_can_only_be_read_after_its_node(nodes: str, expected: list[str]):
    assert [code for code, _ in problems_of(nodes)] == expected


IF_A = "s: {if: event.id, next: {then: a, else: b}}\na: {let: {x: 1}, next: b}\n"


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param(IF_A + f"b: {{log: '{OUTPUT}'}}", ["H305"], id="one of two branches"),
        pytest.param(IF_A + "b: {log: \"{{ nodes.a.out.x | default('no') }}\"}", [], id="with a default"),
        pytest.param(IF_A + "b: {if: nodes.a.out.x is defined}", [], id="tested with is defined"),
        pytest.param(IF_A + "b: {if: nodes.a.out.x > 1}", [], id="compared in a condition"),
        pytest.param(IF_A + "b: {switch: {one: nodes.a.out.x == 1}}", [], id="compared in a case"),
        pytest.param(IF_A + "b: {log: x, when: nodes.a.out.x == 1}", [], id="compared in a when"),
        pytest.param(IF_A + "b: {log: '{{ 1 if nodes.a.out.x == 1 else 2 }}'}", [], id="compared in a template"),
        pytest.param(
            IF_A + f"b: {{log: '{OUTPUT}', join: all}}",
            ["H310"],
            id="join all: never",
        ),
        pytest.param(IF_A + f"b: {{log: '{OUTPUT}', join: any}}", ["H305"], id="join any: it may be the other branch"),
        pytest.param(IF_A + "b: {let: {y: '$.nodes.a.out.x'}}", ["H305"], id="as a JSONPath"),
        pytest.param(IF_A + "b: {let: {y: '$.nodes.a.out.x[*]'}}", [], id="as a JSONPath that may match nothing"),
        pytest.param(
            "s: {log: x, next: [a, c]}\na: {let: {x: 1}, next: b}\nc: {log: x, next: b}\n" + f"b: {{log: '{OUTPUT}'}}",
            ["H305"],
            id="fan-out: the other branch may arrive alone",
        ),
        pytest.param(
            "s: {log: x, next: [a, c]}\na: {let: {x: 1}, next: b}\nc: {log: x, next: b}\n"
            f"b: {{log: '{OUTPUT}', join: all}}",
            [],
            id="fan-out with join all: both have arrived",
        ),
        pytest.param(
            "a: {let: {x: 1}, next: [b, c]}\nb: {log: x, next: d}\nc: {log: x, next: d}\n" + f"d: {{log: '{OUTPUT}'}}",
            [],
            id="before the fan-out",
        ),
    ],
)
def test_an_output_that_may_be_missing_needs_a_default(nodes: str, expected: list[str]):
    assert [code for code, _ in problems_of(nodes)] == expected


EITHER = "s: {if: event.id, next: {then: a, else: c}}\na: {let: {x: 1}, next: b}\nc: {let: {y: 2}, next: b}\n"


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param("nodes.a.out.x | default(nodes.c.out.y)", [], id="one of the branches has run"),
        pytest.param("nodes.c.out.y | default(nodes.a.out.x)", [], id="in the other order"),
        pytest.param("nodes.a.out.x or nodes.c.out.y", [], id="joined by or"),
        pytest.param("nodes.a.out.x | default(nodes.c.out.y | default(0))", [], id="with a last default"),
        pytest.param("nodes.a.out.x | default(event.id) | default(nodes.c.out.y)", [], id="in a chain"),
        pytest.param("nodes.a.out.x | default(event.id ~ nodes.c.out.y)", [], id="inside the fallback"),
        pytest.param("event.id | default(nodes.c.out.y)", ["H305"], id="the fallback of something else"),
        pytest.param("nodes.a.out.x ~ nodes.c.out.y", ["H305", "H305"], id="without a default"),
    ],
)
def test_one_branch_of_a_default_always_ran(last: str, expected: list[str]):
    assert [code for code, _ in problems_of(EITHER + f"b: {{log: '{{{{ {last} }}}}'}}")] == expected


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param(
            "s: {switch: {x: event.id == 'a', y: event.id == 'b'}, next: {x: a, y: c, default: b}}\n"
            "a: {let: {x: 1}, next: b}\nc: {let: {y: 2}, next: b}\n",
            id="a third way leads around both",
        ),
        pytest.param(
            "s: {if: event.id, next: {then: a, else: c}}\na: {let: {x: 1}, next: {failed: b}}\n"
            "c: {let: {y: 2}, next: b}\n",
            id="one leads here only after it has failed",
        ),
        pytest.param(
            "s: {if: event.id, next: {then: a, else: c}}\n"
            "a: {let: {x: 1}, when: event.id, next: {skipped: b, done: b}}\n"
            "c: {let: {y: 2}, next: b}\n",
            id="one may be skipped",
        ),
    ],
)
def test_a_default_needs_a_branch_that_always_ran(nodes: str):
    text = nodes + "b: {log: '{{ nodes.a.out.x | default(nodes.c.out.y) }}'}"
    assert [code for code, _ in problems_of(text)] == ["H305"]


@pytest.mark.parametrize(
    ("first", "read", "help"),
    [
        pytest.param("let: {net: 1}", "nodes.a.out.nett", "did you mean `nodes.a.out.net`?", id="a name of a let"),
        pytest.param("let: {net: 1}", "nodes.a.out.other", "known here: `net`", id="no name of a let"),
        pytest.param("let: {net: {x: 1}}", "nodes.a.out.net.other", "known here: `x`", id="a name below a value"),
        pytest.param("let: {net: 1}", "nodes.a.out.net.y", "", id="below a number"),
        pytest.param("log: x", "nodes.a.out", "`let` node", id="a node without an output"),
        pytest.param(
            "profile.increment: {traits.x: 1}", "nodes.a.out.x", "read the event or the profile", id="an operation"
        ),
        pytest.param(
            "profile.merge: {pii.email: x}", "nodes.a.out.idd", "did you mean `nodes.a.out.id`?", id="a merged profile"
        ),
        pytest.param(
            "lookup.profile: {id: x}, next: {failed: c}",
            "nodes.a.out.trait.x",
            "did you mean `nodes.a.out.traits.x`?",
            id="a field of a profile",
        ),
    ],
)
def test_an_output_that_a_node_does_not_have_is_an_error(first: str, read: str, help: str):
    wired = first if "next" in first else f"{first}, next: b"
    wired = wired.replace("next: {", "next: {found: b, ")
    nodes = f"a: {{{wired}}}\nb: {{log: '{{{{ {read} }}}}'}}\n" + ("c: {log: x}" if "c}" in first else "")
    problems = compiled(nodes)[1]
    assert [problem.code for problem in problems] == ["H223"]
    assert help in problems[0].help


@pytest.mark.parametrize(
    "read", ["nodes.a.out", "nodes.a.out.x", "nodes.a.out.y.any.thing", "nodes.a.out.z[0].a", "nodes.a.out.w.any"]
)
def test_an_output_that_a_node_may_have_is_none(read: str):
    first = "let: {x: 1, y: '$.event.properties', z: [{a: 1}], w: '{{ event.properties }}'}"
    assert problems_of(f"a: {{{first}, next: b}}\nb: {{log: '{{{{ {read} }}}}'}}") == []


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param(
            "a: {lookup.http: {target: crm}, next: {fail: b}}\nb: {log: x}", ["H116"], id="a misspelt port hides H303"
        ),
        pytest.param(
            "a: {lookup.http: {target: crm, next: b}}\nb: {log: x}",
            ["H124", "H303"],
            id="an edge inside the config hides H302",
        ),
        pytest.param(
            "a: {lookup.http: {target: crm}, on_error: b}\nb: {log: x}", ["H101"], id="an edge of other words"
        ),
        pytest.param(
            "a: {log: x, next: bb}\nb: {lookup.http: {target: crm}}", ["H117", "H303"], id="another node's H303 stays"
        ),
    ],
)
def test_consequences_of_a_missing_edge_are_not_reported(nodes: str, expected: list[str]):
    assert [code for code, _ in problems_of(nodes)] == expected


@pytest.mark.parametrize(
    ("first", "ports", "expected"),
    [
        pytest.param("let: {x: 1}, when: event.id", "done", [], id="after done it has run"),
        pytest.param("let: {x: 1}, when: event.id", "skipped", ["H305"], id="after skipped it has not run"),
        pytest.param("let: {x: 1}, disabled: true", "skipped", ["H305"], id="nor when it is disabled"),
        pytest.param(
            "let: {x: 1}, when: event.id", "done skipped", ["H305"], id="after done or skipped it may be missing"
        ),
        pytest.param("let: {x: 1}", "skipped", [], id="without a when nothing is skipped"),
        pytest.param("let: {x: 1}", "failed", ["H305"], id="after failed there is no output"),
        pytest.param("let: {x: 1}", "done failed", ["H305"], id="after done or failed it may be missing"),
    ],
)
def test_whether_an_output_may_be_missing_depends_on_the_ports(first: str, ports: str, expected: list[str]):
    wired = ", ".join(f"{port}: b" for port in ports.split())
    assert [code for code, _ in problems_of(f"a: {{{first}, next: {{{wired}}}}}\nb: {{log: '{OUTPUT}'}}")] == expected


def test_a_start_with_edges_may_run_without_the_nodes_before_it():
    nodes = {"a": {"let": {"x": 1}, "next": "b"}, "b": {"log": OUTPUT}}
    text = {"flow": "f", "trigger": {"event": "x"}, "start": ["a", "b"], "nodes": nodes}
    assert problems_of(text) == [("H305", "nodes.b.log")]


def test_a_problem_in_a_template_has_its_position_in_the_text():
    problem = compiled("a: {log: 'Hello {{ nodes.zz.out }}'}")[1][0]
    assert (problem.offset, problem.length) == (9, len("nodes.zz.out"))

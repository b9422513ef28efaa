"""The checks of loops that need no project: failures that are handled, outputs at the end of a turn, races, nesting."""

import pytest

from tests.engine.flow.build import compiled, problems_of


def loop(body: str, rest: str = "", after: str = "") -> str:
    """A flow with a loop of this body; `rest` are further fields of the loop, `after` further keys of the node."""
    return f"lines: {{each: {{in: [1, 2], do: {{{body}}}{rest}}}{after}}}\nend: {{log: x}}\n"


def found(text: str) -> list[tuple[str, str]]:
    """The problems of a flow, without that of its node `end` where nothing leads to it."""
    return [problem for problem in problems_of(text) if problem != ("H302", "nodes.end")]


@pytest.mark.parametrize(
    ("rest", "after", "codes"),
    [
        pytest.param("", "", ["H303"], id="nothing handles it"),
        pytest.param("", ", next: end", ["H303"], id="the loop leads on only if it succeeds"),
        pytest.param("", ", next: {failed: end}", [], id="the failure of the loop is wired"),
        pytest.param(", on_error: skip", "", [], id="turns that fail are skipped"),
    ],
)
def test_a_look_up_in_a_turn_may_fail_where_the_loop_handles_it(rest: str, after: str, codes: list[str]):
    problems = found(loop("look: {lookup.http: {target: crm}}", rest, after))
    assert problems == [(code, "nodes.lines.each.do.look") for code in codes]


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        pytest.param("x: {let: {y: 1}}", [], id="a node that always runs"),
        pytest.param("a: {log: a, next: [b, x]}, b: {log: b}, x: {let: {y: 1}}", [], id="a parallel branch"),
        pytest.param("a: {if: item > 1, next: {then: x, else: x}}, x: {let: {y: 1}}", [], id="both branches"),
        pytest.param("a: {if: item > 1, next: {then: x}}, x: {let: {y: 1}}", ["H305"], id="one branch"),
        pytest.param("x: {let: {y: 1}, when: item > 1}", ["H305"], id="a node that may be skipped"),
        pytest.param("x: {let: {y: '{{ 1 / item }}'}}", [], id="a failure that ends the turn"),
        pytest.param(
            "x: {let: {y: '{{ 1 / item }}'}, next: {failed: a}}, a: {log: a}", ["H305"], id="a failure that is wired"
        ),
        pytest.param("x: {log: y}", ["H223"], id="a node without output"),
        pytest.param("z: {log: y}", ["H117"], id="no such node"),
    ],
)
def test_the_output_that_a_loop_collects_is_there_when_a_turn_ends(body: str, codes: list[str]):
    problems = found(loop(body, ', collect: "{{ nodes.x.out.y }}"'))
    assert problems == [(code, "nodes.lines.each.collect") for code in codes]


def test_what_a_loop_collects_may_have_a_default():
    text = loop("x: {let: {y: 1}, when: item > 1}", ', collect: "{{ nodes.x.out.y | default(0) }}"')
    assert found(text) == []


@pytest.mark.parametrize(("at_once", "codes"), [(1, []), (4, ["H306"])])
def test_a_read_of_what_other_turns_write_is_a_warning_when_they_are_side_by_side(at_once: int, codes: list[str]):
    body = "add: {profile.increment: {traits.n: 1}, next: see}, see: {log: '{{ profile.traits.n }}'}"
    problems = found(loop(body, f", at_once: {at_once}"))
    assert problems == [(code, "nodes.lines.each.do.see.log") for code in codes]


def test_a_branch_beside_a_loop_may_not_read_what_the_loop_writes():
    text = """
    begin: {log: x, next: [lines, see]}
    lines: {each: {in: [1], do: {add: {profile.set: {traits.n: "{{ item }}"}}}}}
    see: {log: "{{ profile.traits.n }}"}
    """
    assert problems_of(text) == [("H306", "nodes.see.log")]


def test_the_nodes_of_two_loops_have_ids_of_their_own():
    text = """
    one: {each: {in: [1], do: {x: {log: x}}}, next: two}
    two: {each: {in: [1], do: {x: {log: x}}}}
    """
    assert problems_of(text) == [("H105", "nodes.two.each.do.x")]


def test_an_inner_loop_reads_the_nodes_around_it_and_not_those_behind_it():
    text = """
    before: {let: {a: 1}, next: outer}
    outer:
      each:
        in: [[1], [2]]
        do:
          first: {let: {b: 1}, next: inner}
          inner:
            each:
              in: "{{ item }}"
              do: {x: {log: "{{ nodes.before.out.a }} {{ nodes.first.out.b }} {{ nodes.last.out.c }}"}}
            next: last
          last: {let: {c: 1}}
    """
    assert problems_of(text) == [("H304", "nodes.outer.each.do.inner.each.do.x.log")]


def test_a_node_that_needs_a_sender_cannot_be_in_a_loop_behind_a_wait():
    flow, problems = compiled(
        """
        flow: f
        trigger: {event: paid}
        while_waiting: parallel
        nodes:
          nap: {wait: 1h, next: lines}
          lines: {each: {in: [1], do: {say: {respond: {x: 1}}}}}
        """
    )
    assert flow is None
    assert [(each.code, each.path) for each in problems] == [("H312", ("nodes", "lines", "each", "do", "say"))]

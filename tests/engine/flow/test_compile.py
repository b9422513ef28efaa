"""The compiler: errors of a flow have a code and a key path, and a flow without errors becomes a plan."""

from typing import Any

import pytest

from engine.flow.node import type_name
from engine.flow.node_map import MAX_NODES
from engine.flow.plan import Retry
from tests.engine.flow.build import compiled, flow, problems_of
from tests.engine.flow.node_types import TYPES

WHOLE: dict[str, Any] = {"flow": "f", "trigger": {"event": "paid"}, "nodes": {"a": {"segment.add": "vip"}}}


def whole(**changed: Any) -> dict[str, Any]:
    """A flow without errors, with some keys changed, or removed by `...`."""
    return {key: value for key, value in (WHOLE | changed).items() if value is not ...}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param([], [("H103", "")], id="a flow is a map"),
        pytest.param(whole(nods={}), [("H101", "nods")], id="an unknown key"),
        pytest.param(whole(flow=...), [("H102", "")], id="no name"),
        pytest.param(whole(trigger=...), [("H102", "")], id="no trigger"),
        pytest.param(whole(nodes=...), [("H102", "")], id="no nodes"),
        pytest.param(whole(nodes={}), [("H102", "nodes")], id="empty nodes"),
        pytest.param(whole(nodes=["a"]), [("H102", "nodes")], id="a list of nodes"),
        pytest.param(whole(flow="My Flow"), [("H104", "flow")], id="a name with a space"),
        pytest.param(whole(flow=7), [("H104", "flow")], id="a number as name"),
        pytest.param(whole(profile="maybe"), [("H103", "profile")], id="an unknown profile policy"),
        pytest.param(whole(profile=["none"]), [("H103", "profile")], id="a list as profile policy"),
        pytest.param(whole(keep=2), [("H103", "keep")], id="a share above 1"),
        pytest.param(whole(keep=True), [("H103", "keep")], id="true is not a share"),
        pytest.param(whole(start=[]), [("H103", "start")], id="a run starts nowhere"),
        pytest.param(whole(start=["a", "b"]), [("H117", "start.1")], id="it starts at an unknown node"),
        pytest.param(whole(start=[["a"]]), [("H117", "start.0")], id="it starts at a list"),
        pytest.param(whole(trigger="paid"), [("H103", "trigger")], id="a trigger is a map"),
        pytest.param(whole(trigger={"evnt": "x"}), [("H101", "trigger.evnt")], id="an unknown key of the trigger"),
        pytest.param(whole(trigger={"event": []}), [("H103", "trigger.event")], id="no event type"),
        pytest.param(whole(trigger={"event": ["a", 1]}), [("H103", "trigger.event.1")], id="an event type is a text"),
        pytest.param(whole(trigger={"event": None}), [("H103", "trigger.event")], id="an event type is not null"),
        pytest.param(whole(trigger={"source": "shp"}), [("H118", "trigger.source")], id="an unknown source"),
        pytest.param(
            whole(trigger={"source": ["shop", "sh*", "shp"]}), [("H118", "trigger.source.2")], id="one of several"
        ),
        pytest.param(whole(trigger={"source": [7]}), [("H103", "trigger.source.0")], id="a source is a text"),
        pytest.param(whole(trigger={"when": 5}), [("H114", "trigger.when")], id="a condition is a text"),
        pytest.param(
            whole(trigger={"when": "nodes.a.out > 1"}), [("H304", "trigger.when")], id="no node ran before the trigger"
        ),
        pytest.param(whole(nodes={1: {"segment.add": "vip"}}), [("H105", "nodes.1")], id="a number as node id"),
    ],
)
def test_an_error_in_a_flow_is_reported_at_its_key_path(document: Any, expected: list[tuple[str, str]]):
    assert problems_of(document) == expected


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param("a-b: {segment.add: vip}", [("H105", "nodes.a-b")], id="a hyphen"),
        pytest.param("A: {segment.add: vip}", [("H105", "nodes.A")], id="a capital letter"),
        pytest.param("a: segment.add", [("H103", "nodes.a")], id="a text as node"),
        pytest.param("a: {next: a}", [("H110", "nodes.a")], id="no type"),
        pytest.param("a: {segmnt.add: vip}", [("H111", "nodes.a.segmnt.add")], id="an unknown type"),
        pytest.param("a: {segment.add: vip, log: x}", [("H112", "nodes.a.log")], id="two types"),
        pytest.param("a: {foo: 1, bar: 2}", [("H112", "nodes.a.bar")], id="two unknown types"),
        pytest.param(
            "a: {segment.add: vip, colour: b}", [("H101", "nodes.a.colour")], id="an unknown key next to a type"
        ),
        pytest.param(
            "a: {event.emit: {tpe: x}}",
            [("H113", "nodes.a.event.emit.tpe")],
            id="an unknown field in place of a required one",
        ),
        pytest.param("a: {cache.set: {key: k, ttl: 1m}}", [("H115", "nodes.a.cache.set")], id="a missing field"),
        pytest.param("a: {event.emit: /x}", [("H114", "nodes.a.event.emit")], id="fields are a map"),
        pytest.param("a: {log: {message: hi, level: loud}}", [("H114", "nodes.a.log.level")], id="none of the words"),
        pytest.param("a: {if: [x]}", [("H114", "nodes.a.if")], id="a list as condition"),
        pytest.param("a: {if: {then: x > 1}}", [("H114", "nodes.a.if")], id="a map as condition"),
        pytest.param("a: {if: event.properties.total >}", [("H201", "nodes.a.if")], id="half a condition"),
        pytest.param("a: {let: {x: '{{ evnt.id }}'}}", [("H202", "nodes.a.let.x")], id="an unknown root"),
        pytest.param("a: {switch: event.id}", [("H114", "nodes.a.switch")], id="a switch has cases"),
        pytest.param("a: {switch: {}}", [("H114", "nodes.a.switch")], id="a switch has at least one case"),
        pytest.param("a: {switch: {failed: event.id}}", [("H114", "nodes.a.switch.failed")], id="a case named failed"),
        pytest.param("a: {profile.set: {}}", [("H114", "nodes.a.profile.set")], id="nothing to set"),
        pytest.param(
            "a: {profile.set: {id: x}}", [("H114", "nodes.a.profile.set.id")], id="a path that cannot be written"
        ),
        pytest.param("a: {profile.set: {traits: {}}}", [("H114", "nodes.a.profile.set.traits")], id="a root alone"),
        pytest.param("a: {profile.set: {traits..x: 1}}", [("H204", "nodes.a.profile.set.traits..x")], id="a bad path"),
        pytest.param("a: {profile.unset: segments}", [("H114", "nodes.a.profile.unset")], id="a path to unset"),
        pytest.param(
            "a: {profile.unset: [traits.x, traits..y]}", [("H204", "nodes.a.profile.unset.1")], id="paths to unset"
        ),
        pytest.param(
            "a: {profile.set: '{{ event.properties }}'}", [("H206", "nodes.a.profile.set")], id="paths from a template"
        ),
        pytest.param(
            "a: {profile.set: '$.event.properties'}", [("H206", "nodes.a.profile.set")], id="paths from a JSONPath"
        ),
        pytest.param(
            "a: {profile.set: {'{{ event.id }}': 1}}", [("H206", "nodes.a.profile.set.{{ event.id }}")], id="a key"
        ),
        pytest.param(
            "a: {profile.unset: ['{{ event.id }}']}", [("H206", "nodes.a.profile.unset.0")], id="a fixed path"
        ),
        pytest.param(
            "a: {profile.increment: {traits.a: x, traits.b: '{{ event.properties.b }}'}}",
            [("H114", "nodes.a.profile.increment.traits.a")],
            id="a text next to a template is not a number",
        ),
        pytest.param("a: {segment.add: [vip, 5]}", [("H114", "nodes.a.segment.add.1")], id="a number among texts"),
        pytest.param("a: {segment.add: vp}", [("H118", "nodes.a.segment.add")], id="an unknown segment"),
        pytest.param("a: {segment.add: [vip, vp]}", [("H118", "nodes.a.segment.add.1")], id="an unknown one of two"),
        pytest.param("a: {segment.add: rich}", [("H309", "nodes.a.segment.add")], id="a segment with a condition"),
        pytest.param(
            "a: {lookup.http: {target: cmr}, next: {failed: b}}\nb: {log: x}",
            [("H118", "nodes.a.lookup.http.target")],
            id="an unknown target",
        ),
        pytest.param(
            "a: {cache.set: {key: k, value: 1, ttl: 1w}}", [("H119", "nodes.a.cache.set.ttl")], id="no duration"
        ),
        pytest.param("a: {cache.set: {key: k, value: 1, ttl: 0s}}", [("H114", "nodes.a.cache.set.ttl")], id="zero"),
        pytest.param("a: {log: x, disabled: 'yes'}", [("H103", "nodes.a.disabled")], id="disabled is true or false"),
        pytest.param("a: {log: x, join: some}", [("H103", "nodes.a.join")], id="an unknown join"),
        pytest.param("a: {log: x, when: [1]}", [("H114", "nodes.a.when")], id="a when is a text"),
        pytest.param("a: {log: x, timeout: 2s}", [("H120", "nodes.a.timeout")], id="nothing to wait for"),
        pytest.param("a: {log: x, next: {don: b}}\nb: {log: x}", [("H116", "nodes.a.next.don")], id="an unknown port"),
        pytest.param("a: {log: x, next: c}", [("H117", "nodes.a.next")], id="an unknown node"),
        pytest.param("a: {log: x, next: [b, c]}\nb: {log: x}", [("H117", "nodes.a.next.1")], id="one of two"),
        pytest.param("a: {log: x, next: {done: c}}", [("H117", "nodes.a.next.done")], id="at a port"),
        pytest.param("a: {log: x, next: {done: [c]}}", [("H117", "nodes.a.next.done.0")], id="at a port, in a list"),
        pytest.param("a: {log: x, next: {done: }}", [("H103", "nodes.a.next.done")], id="an edge to nowhere"),
        pytest.param(
            "a: {log: x, next: [[b]]}\nb: {log: x}",
            [("H103", "nodes.a.next.0")],
            id="an edge to a list",
        ),
        pytest.param(
            "a: {switch: {x: event.id}, next: b}\nb: {log: x}",
            [("H311", "nodes.a.next")],
            id="a switch needs a map",
        ),
        pytest.param(
            "a: {fail: x, next: b}\nb: {log: x}",
            [("H311", "nodes.a.next")],
            id="nothing follows a fail",
        ),
        pytest.param(
            "a: {stop: x, next: b}\nb: {log: x}", [("H311", "nodes.a.next")], id="nothing follows the end of a run"
        ),
        pytest.param(
            "a: {stop: x, next: {done: b}}\nb: {log: x}",
            [("H311", "nodes.a.next.done")],
            id="nothing follows the end of a run, by its port",
        ),
        pytest.param(
            "a: {stop: x, when: event.id, next: {skipped: b}}\nb: {log: x}", [], id="a skipped stop continues"
        ),
        pytest.param(
            "a: {if: event.id, then: b, else: c}\nb: {log: x}\nc: {log: x}",
            [("H122", "nodes.a.then")],
            id="ports next to the type",
        ),
        pytest.param(
            "a: {profile.merge: {}}",
            [("H114", "nodes.a.profile.merge")],
            id="no key",
        ),
        pytest.param(
            'a: {profile.attach: {key: {pii.email: "{{ event.id }}", pii.phone: x}}}',
            [("H114", "nodes.a.profile.attach.key")],
            id="two keys in a field that may be missing",
        ),
        pytest.param(
            'a: {profile.attach: {id: x, key: {pii.email: "{{ event.id }}"}}}',
            [("H123", "nodes.a.profile.attach.key")],
            id="an id and a key",
        ),
        pytest.param("a: {profile.attach: {}}", [("H123", "nodes.a.profile.attach")], id="neither an id nor a key"),
        pytest.param("a: {profile.attach: {create: true}}", [], id="a new profile needs no id"),
    ],
)
def test_an_error_in_a_node_is_reported_at_its_key_path(nodes: str, expected: list[tuple[str, str]]):
    assert problems_of(nodes) == expected


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param("timeout: 2", [("H119", "timeout")], id="a number without a unit"),
        pytest.param("timeout: 0s", [("H119", "timeout")], id="zero"),
        pytest.param("deadline: soon", [("H119", "deadline")], id="a word"),
        pytest.param("retry: 3", [("H103", "retry")], id="retry is a map"),
        pytest.param("retry: {tims: 3}", [("H101", "retry.tims")], id="an unknown key"),
        pytest.param("retry: {times: -1}", [("H103", "retry.times")], id="a negative number"),
        pytest.param("retry: {times: 11}", [("H103", "retry.times")], id="too many retries"),
        pytest.param("retry: {times: true}", [("H103", "retry.times")], id="true is not a number"),
        pytest.param("retry: {times: 2, backoff: 1.5s}", [("H119", "retry.backoff")], id="a part of a second"),
    ],
)
def test_timeout_deadline_and_retry_are_checked(setting: str, expected: list[tuple[str, str]]):
    nodes = "a: {lookup.http: {target: crm}, %s, next: {failed: b}}\nb: {log: x}"
    assert problems_of(nodes % setting) == [(code, f"nodes.a.{path}") for code, path in expected]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        pytest.param("a: {segmnt.add: vip}", "`segment.add`", id="a type"),
        pytest.param("a: {segment.add: vpi}", "`vip`", id="a segment"),
        pytest.param("a: {lookup.http: {target: cmr}}", "`crm`", id="a target"),
        pytest.param("a: {log: x, whne: event.id}", "`when`", id="a common key"),
        pytest.param("a: {event.emit: {type: x, propertes: {}}}", "`properties`", id="a field"),
        pytest.param("a: {log: x, next: {faild: b}}\nb: {log: x}", "`failed`", id="a port"),
        pytest.param("recognise: {log: x, next: grete}\ngreet: {log: x}", "`greet`", id="a node"),
        pytest.param("recognise: {log: '{{ nodes.recognize.out }}'}", "", id="not the node itself"),
        pytest.param("a-b: {log: x}", "`a_b`", id="a node id without a hyphen"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(text: str, help: str):
    suggestion = compiled(text)[1][0].help
    assert help in suggestion
    assert bool(suggestion) == bool(help)


def test_edges_to_a_node_with_errors_are_not_reported():
    assert problems_of("a: {log: x, next: b}\nb: {lgo: x}") == [("H111", "nodes.b.lgo")]


def test_a_flow_with_too_many_nodes_is_an_error():
    nodes = {f"n{i}": {"log": "x"} for i in range(MAX_NODES + 1)}
    assert problems_of(whole(nodes=nodes)) == [("H103", "nodes")]


def test_a_flow_with_errors_is_not_returned():
    assert compiled("a: {log: x, next: c}")[0] is None


def outs(text: str) -> dict[str, dict[str, list[str]]]:
    """The wired ports of each node, with the ids of the nodes that they lead to."""
    made = flow(text, TYPES)
    return {
        node.id: {port: [made.nodes[index].id for index in targets] for port, targets in node.outs.items()}
        for node in made.nodes
        if node.outs
    }


@pytest.mark.parametrize(
    ("node", "wired"),
    [
        pytest.param("log: x", ["done"], id="done"),
        pytest.param("if: event.id", ["then"], id="then, not else"),
        pytest.param("profile.merge: {pii.email: x}", ["merged", "unchanged"], id="merged and unchanged"),
        pytest.param("lookup.http: {target: crm}", ["found"], id="found, not missing"),
        pytest.param("profile.attach: {id: x}", ["attached"], id="attached, not missing"),
    ],
)
def test_a_plain_next_wires_only_the_main_ports(node: str, wired: list[str]):
    assert outs(f"a: {{{node}, next: b}}\nb: {{log: x}}") == {"a": {port: ["b"] for port in wired}}


def test_a_list_fans_out_and_a_map_wires_by_name():
    text = """
    a: {if: event.id, next: {then: [b, c], else: d, failed: d}}
    b: {log: x, next: [d]}
    c: {log: x}
    d: {log: x}
    """
    assert outs(text) == {"a": {"then": ["b", "c"], "else": ["d"], "failed": ["d"]}, "b": {"done": ["d"]}}


def test_an_edge_that_is_written_twice_counts_once():
    assert outs("a: {log: x, next: [b, b]}\nb: {log: x}") == {"a": {"done": ["b"]}}


def test_a_case_of_a_switch_is_a_port():
    text = "a: {switch: {big: event.id}, next: {big: b, default: b}}\nb: {log: x}"
    assert outs(text) == {"a": {"big": ["b"], "default": ["b"]}}


@pytest.mark.parametrize(
    ("start", "starts"),
    [
        pytest.param(..., ["a"], id="the first node"),
        pytest.param("b", ["b"], id="one node"),
        pytest.param(["b", "a", "b"], ["a", "b"], id="several, each once"),
    ],
)
def test_start_names_the_nodes_at_which_a_run_starts(start: Any, starts: list[str]):
    nodes = {"a": {"log": "x", "next": "b"}, "b": {"log": "x"}}
    made, _ = compiled(whole(start=["a"] if start == "b" else start, nodes=nodes))
    if start == "b":
        made, _ = compiled(whole(start="b", nodes={"b": {"log": "x"}}))
    assert made is not None
    assert sorted(made.nodes[index].id for index in made.starts) == starts


def test_timeout_deadline_and_retry_are_in_the_plan():
    node = flow(
        """
        a:
          lookup.http: {target: crm}
          timeout: 250ms
          deadline: 3s
          retry: {times: 3, backoff: 100ms}
          next: {failed: b}
        b: {log: x}
        """
    ).nodes[0]
    assert (node.timeout_ms, node.deadline_ms, node.retry) == (250, 3_000, Retry(3, 100))


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        pytest.param("", Retry(0, 500), id="no retries"),
        pytest.param("retry: {}, ", Retry(1, 500), id="once"),
        pytest.param("retry: {times: 0}, ", Retry(0, 500), id="never"),
        pytest.param("retry: {backoff: 2s}, ", Retry(1, 2_000), id="once, with a longer backoff"),
    ],
)
def test_retry_has_defaults(retry: str, expected: Retry):
    text = f"a: {{lookup.http: {{target: crm}}, {retry}next: {{failed: b}}}}\nb: {{log: x}}"
    assert flow(text).nodes[0].retry == expected


def test_plan_order_follows_the_file_between_unconnected_nodes():
    text = """
    a: {log: x, next: [late, early]}
    end: {log: x}
    late: {log: x, next: end}
    early: {log: x, next: end}
    """
    assert [node.id for node in flow(text).nodes] == ["a", "late", "early", "end"]


def test_the_plan_has_the_settings_of_the_flow():
    made, problems = compiled(whole(description="What it does", keep=0.5, profile="required"))
    assert (made is not None, problems) == (True, [])
    assert made is not None
    assert (made.name, made.description, made.keep, made.profile) == ("f", "What it does", 0.5, "required")
    assert type_name(made.nodes[0].node) == "segment.add"


def test_a_literal_next_to_a_template_has_the_type_of_its_field():
    text = "a: {lookup.http: {target: crm, body: '{{ event.properties }}', query: {n: [1, a]}}, next: {failed: b}}"
    assert flow(text + "\nb: {log: x}").nodes[0].template.literals == {"target": "crm", "query": {"n": [1, "a"]}}


def test_the_key_path_of_a_wrong_value_in_a_map_leads_to_its_entry():
    text = "a: {lookup.http: {target: crm, query: {n: {x: 1}}}, next: {failed: b}}\nb: {log: x}"
    assert problems_of(text) == [("H114", "nodes.a.lookup.http.query.n")]

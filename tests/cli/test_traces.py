"""Traces as text: paths, steps in words, and the reasons of flows that did not run."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from cli.traces import event_block, event_line, path, short


def text_of(renderable: RenderableType) -> str:
    out = StringIO()
    Console(width=200, file=out).print(renderable)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def step(node: str, port: str = "done", /, **more: Any) -> dict[str, Any]:
    previous = {"from": [more.pop("after")]} if "after" in more else {}
    return {"node": node, "type": "log", "port": port, **previous, **more}


def run(*steps: dict[str, Any], outcome: str = "finished", not_run: Any = ()) -> dict[str, Any]:
    return {"flow": "orders", "outcome": outcome, "duration_us": 1500, "steps": list(steps), "not_run": list(not_run)}


def event(*runs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "order-paid", "disposition": "stored", "runs": list(runs), **more}


def test_a_path_has_the_nodes_in_order_with_ports_other_than_done() -> None:
    assert path(run(step("count"), step("big", "then", after="count"))).plain == "count › big:then"


def test_a_parallel_branch_is_marked() -> None:
    steps = step("vip"), step("greet", after="vip"), step("crm", "found", after="vip")
    assert path(run(*steps)).plain == "vip › greet ‖ crm:found"


def test_a_block_has_the_actions_of_each_node_and_their_reasons() -> None:
    steps = (
        step("big", "then", expression="a > 1", values={"a": 2, "b": "absent"}, result=True),
        step(
            "crm",
            "failed",
            calls=[
                {"kind": "http", "what": "GET http://crm/x", "got": "no answer: the target answered 503", "took_ms": 4},
                {"kind": "http", "what": "GET http://crm/x", "got": "404"},
            ],
            error="`crm` answered 404",
        ),
        step("note", logs=[{"level": "info", "message": "hello"}]),
    )
    not_run = [{"node": "b", "why": "big left by then, not else"}, {"node": "c", "why": "big left by then, not x"}]
    text = text_of(event_block("e-1", event(run(*steps, not_run=not_run))))
    assert text.splitlines() == [
        "● order-paid  e-1  stored",
        "    orders  finished  1.5 ms  big:then › crm:failed › note",
        "      big      a > 1 → true   a = 2, b = absent",
        "      crm      GET http://crm/x → 503 (4 ms) → 404 (0 ms)",
        "               `crm` answered 404",
        "      note     logs a line (info): hello",
        "      not run  b, c: big left by then",
    ]


def test_a_failed_run_says_that_its_changes_are_dropped() -> None:
    text = text_of(event_block("e-1", event(run(step("set", "failed", error="`x` is absent"), outcome="failed"))))
    assert "its changes are dropped" in text
    assert "`x` is absent" in text


def test_flows_that_were_not_triggered_have_their_expression_and_values() -> None:
    when = {"expression": "event.properties.total > 0", "values": {"event.properties.total": "49,90"}, "result": False}
    types = [
        {"expression": f"event.type matches {name}", "values": {"event.type": "order-paid"}} for name in ("a-*", "b")
    ]
    runs = [
        {"flow": flow, "outcome": "not-triggered", "reason": reason}
        for flow, reason in zip(("one", "two", "three"), (when, *types), strict=True)
    ]
    text = text_of(event_block("e-1", event(*runs)))
    assert 'one  not triggered  event.properties.total > 0 → false   event.properties.total = "49,90"' in text
    assert "no flow takes this type  two (a-*), three (b)" in text


def test_with_a_flow_the_other_flows_have_only_their_path() -> None:
    text = text_of(event_block("e-1", event(run(step("note", logs=[{"level": "info", "message": "hello"}]))), "other"))
    assert "note" in text
    assert "hello" not in text


EMAIL = "pii.email:0123456789abcdef"  # a key, as links name it


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"op": "set", "path": "traits.tier", "value": "gold"}, 'traits.tier = "gold"'),
        ({"op": "event-set", "path": "properties.a", "value": 1}, "event.properties.a = 1"),
        ({"op": "session-set", "path": "properties.a", "value": 1}, "session.properties.a = 1"),
        ({"op": "increment", "path": "traits.n", "by": -2}, "traits.n -2"),
        ({"op": "add", "path": "segments", "member": "vip"}, 'segments gains "vip"'),
        ({"op": "remove", "path": "segments", "member": "vip"}, 'segments loses "vip"'),
        ({"op": "append", "path": "traits.l", "value": 1}, "traits.l ends with 1"),
        ({"op": "unset", "path": "traits.cart"}, "traits.cart is removed"),
        (
            {"op": "merge", "profile": "p-1", "right": EMAIL},
            "merged with profile p-1, by the proven key pii.email (012345…)",
        ),
        ({"op": "merge", "profile": "p-1", "right": "p-1"}, "merged with profile p-1, by the id p-1"),
        ({"op": "link", "right": f"?{EMAIL}"}, "linked to the claimed key pii.email (012345…)"),
        ({"op": "attach", "profile": "p-1"}, "the event gets profile p-1"),
        ({"op": "hold-key", "name": EMAIL}, "the proven key pii.email (012345…) leads here from now on"),
        ({"op": "respond", "values": {"banner": "Hi"}}, 'answers {"banner": "Hi"}'),
        ({"op": "emit", "type": "big"}, "emits big"),
        ({"op": "cache", "key": "k", "ttl_ms": 600_000}, "keeps k for 10m"),
        ({"op": "state-set", "key": "cursor", "value": "b"}, 'the flow keeps cursor = "b"'),
        (
            {"op": "deliver", "target": "mail", "message": "mail", "to": "ann@shop.example", "subject": "Hello"},
            'delivers to mail: a mail to ann@shop.example, "Hello"',
        ),
        (
            {"op": "deliver", "target": "partner", "message": "webhook", "type": "order.paid", "data": {"total": 5}},
            'delivers to partner: the webhook order.paid {"total": 5}',
        ),
        (
            {"op": "deliver", "target": "crm", "message": "http", "method": "PUT", "path": "/a", "body": {"tier": 1}},
            'delivers to crm: PUT /a {"tier": 1}',
        ),
        (
            {"op": "deliver", "target": "crm", "message": "http", "method": "DELETE", "path": "/a", "after": "2h"},
            "delivers to crm after 2h: DELETE /a",
        ),
        ({"op": "something-new", "x": 1}, '{"op": "something-new", "x": 1}'),
    ],
    ids=lambda value: value["op"] if isinstance(value, dict) else "",
)
def test_operations_are_printed_in_words(operation: dict[str, Any], words: str) -> None:
    assert words in text_of(event_block("e-1", event(run(step("node", operations=[operation])))))


def test_an_event_of_the_system_that_started_no_flow_has_no_line() -> None:
    assert event_line(event(origin="system")) is None


def test_a_line_has_the_path_and_the_outcome_of_a_failed_run() -> None:
    line = event_line(event(run(step("set", "failed"), outcome="failed")))
    assert line is not None
    assert line.plain == "○ order-paid  stored  orders set:failed failed"


def test_a_line_says_that_no_flow_ran() -> None:
    line = event_line(event(disposition="duplicate", reason="it has taken effect before"))
    assert line is not None
    assert line.plain == "○ order-paid  duplicate  it has taken effect before"


def test_long_ids_and_long_values_are_shortened() -> None:
    assert short({"id": "0123456789abcdef" * 2}) == '{"id": "01234567…"}'
    assert len(short("x" * 500)) == 90


def test_the_turns_of_a_loop_are_below_it_and_the_others_are_counted() -> None:
    def turn(index: int, *steps: dict[str, Any], outcome: str = "finished") -> dict[str, Any]:
        return {"index": index, "item": {"sku": f"s-{index}"}, "outcome": outcome, "steps": list(steps), "not_run": []}

    price = step("price", "failed", error="`crm` answered 500")
    emits = step("line", operations=[{"op": "emit", "type": "order-line"}])
    loop = step("lines", turns=[turn(0, emits), turn(7, price, outcome="failed")], turns_not_shown=188)
    text = text_of(event_block("e-1", event(run(loop, step("end", after="lines")))))
    assert text.splitlines()[1:] == [
        "    orders  finished  1.5 ms  lines ×190 › end",
        "      lines",
        '      lines[0]        item {"sku": "s-0"}  line',
        "      lines[0].line   emits order-line",
        '      lines[7]        item {"sku": "s-7"}  price:failed  failed',
        "      lines[7].price  `crm` answered 500",
        "                      188 more turns are not shown",
        "      end",
    ]


def test_a_run_that_waits_shows_where_until_when_and_for_what() -> None:
    waits = {"node": "bought", "until": "2026-05-01T12:00:00.000Z", "for": ["order-paid", "left"], "run": "r-1"}
    paused = {**run(step("mark"), outcome="paused"), "waits": waits}
    assert event_line(event(paused)) is not None
    assert text_of(event_block("e-1", event(paused))).splitlines()[-1].split(maxsplit=1) == [
        "waits",
        "at bought for order-paid or left until 2026-05-01T12:00:00.000Z, as run r-1",
    ]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"outcome": "arrived", "resumed": "r-1"}, "arrived  run r-1 has waited for this event, and goes on"),
        ({"outcome": "cancelled", "reason": "restarted by event e-2"}, "cancelled  restarted by event e-2"),
        (
            {
                "outcome": "filtered",
                "reason": {"expression": "while_waiting: ignore", "values": {}, "why": "one waits"},
            },
            "filtered  while_waiting: ignore: one waits",
        ),
    ],
)
def test_a_flow_without_steps_shows_why(entry: dict[str, Any], text: str) -> None:
    shown = text_of(event_block("e-1", event({"flow": "cart", **entry}))).splitlines()
    assert shown[-1].strip() == f"cart  {text}"

"""Flows whose name, trigger or keys are those of another tool: one problem for each, and nothing that follows."""

from pathlib import Path

import pytest

from tests.flows.one_file import Expected, changed, diagnostics_of, found

MISTAKES = [
    ("a misspelt `trigger`", changed("trigger:", "triger:"), Expected("H101", "2:1", "`trigger`")),
    ("`node` in place of `nodes`", changed("nodes:", "node:"), Expected("H101", "4:1", "`nodes`")),
    ("a capital letter", changed("flow:", "Flow:"), Expected("H101", "1:1", "`flow`")),
    (
        "properties in the trigger",
        changed("  event: order-paid\n", "  event: order-paid\n  properties: {total: 5}\n"),
        Expected("H101", "4:3", "`when: event.properties.total > 0`"),
    ),
    (
        "`nodes` below the trigger",
        "flow: order\ntrigger:\n  event: x\n  nodes:\n    a: {log: x}\n",
        Expected("H124", "4:3", "`trigger`"),
    ),
    (
        "a trigger as a node",
        "flow: order\nnodes:\n  begin:\n    trigger: {event: x}\n    next: a\n  a: {log: x}\n",
        Expected("H101", "4:5", "`nodes:`"),
    ),
    (
        "a flow below its name",
        "flow:\n  order:\n    trigger: {event: x}\n    nodes:\n      a: {log: x}\n",
        Expected("H103", "1:1", "`flow: order`"),
    ),
    (
        "a list of flows",
        "flows:\n  - flow: order\n    trigger: {event: x}\n    nodes: {a: {log: x}}\n",
        Expected("H127", "1:1", "`flow`"),
    ),
    ("`on_error` in a flow", changed("nodes:\n", "on_error: note\nnodes:\n"), Expected("H101", "4:1", "`failed`")),
    (
        "the trigger as `on: order-paid`",
        changed("trigger:\n  event: order-paid\n", "on: order-paid\n"),
        Expected("H101", "2:1", "`trigger: {event: order-paid}`"),
    ),
    (
        "the trigger as `on: {event: order-paid}`",
        changed("trigger:\n  event: order-paid\n", "on: {event: order-paid}\n"),
        Expected("H101", "2:1", "`trigger: {event: order-paid}`"),
    ),
    (
        "the trigger as `triggers:   - event: order-paid`",
        changed("trigger:\n  event: order-paid\n", "triggers:\n  - event: order-paid\n"),
        Expected("H101", "2:1", "`trigger: {event: order-paid}`"),
    ),
    (
        "the trigger as `event: order-paid`",
        changed("trigger:\n  event: order-paid\n", "event: order-paid\n"),
        Expected("H101", "2:1", "`trigger: {event: order-paid}`"),
    ),
    (
        "the trigger as `trigger:   - event: order-paid`",
        changed("trigger:\n  event: order-paid\n", "trigger:\n  - event: order-paid\n"),
        Expected("H103", "2:1", "`trigger: {event: order-paid}`"),
    ),
    (
        "the trigger as `trigger: {type: event, name: order-paid}`",
        changed("trigger:\n  event: order-paid\n", "trigger: {type: event, name: order-paid}\n"),
        Expected("H101", "2:11", "`trigger: {event: order-paid}`"),
    ),
    (
        "the trigger as `trigger: order-paid`",
        changed("trigger:\n  event: order-paid\n", "trigger: order-paid\n"),
        Expected("H103", "2:10", "`trigger: {event: order-paid}`"),
    ),
    (
        "the trigger as `trigger: {on: order-paid}`",
        changed("trigger:\n  event: order-paid\n", "trigger: {on: order-paid}\n"),
        Expected("H101", "2:11", "`trigger: {event: order-paid}`"),
    ),
    (
        "a schedule as the trigger's text",
        changed("trigger:\n  event: order-paid\n", 'trigger: "0 8 * * *"\n'),
        Expected("H103", "2:10", '`trigger: {schedule: "0 8 * * *"}`'),
    ),
    (
        "`cron` in the trigger",
        changed("event: order-paid", 'cron: "0 8 * * *"'),
        Expected("H101", "3:3", '`schedule: "0 6 * * *"`'),
    ),
    (
        "a webhook as the trigger",
        changed("trigger:\n  event: order-paid\n", "trigger: {type: webhook, path: /orders}\n"),
        Expected("H121", "2:1", "`event: TYPE`"),
    ),
    (
        "`name` in place of `flow`",
        changed("flow: order", "name: My Order Flow"),
        Expected("H101", "1:1", "`flow: my-order-flow`"),
    ),
    ("`id` in place of `flow`", changed("flow: order", "id: order"), Expected("H101", "1:1", "`flow: order`")),
    (
        "a name with spaces",
        changed("flow: order", "flow: Order To VIP"),
        Expected("H104", "1:7", "`flow: order-to-vip`"),
    ),
    (
        "`vars` in a flow",
        changed("nodes:\n", "vars: {a: 1}\nnodes:\n"),
        Expected("H101", "4:1", "` computes values for later nodes, `"),
    ),
    (
        "`env` in a flow",
        changed("nodes:\n", "env: {A: x}\nnodes:\n"),
        Expected("H101", "4:1", "` computes values for later nodes, `"),
    ),
    ("`version` in a flow", changed("nodes:\n", "version: 2\nnodes:\n"), Expected("H101", "4:1", "`description:`")),
    (
        "`enabled` in a flow",
        changed("nodes:\n", "enabled: true\nnodes:\n"),
        Expected("H101", "4:1", "`disabled: true`"),
    ),
    (
        "`timeout` in a flow",
        changed("nodes:\n", "timeout: 3s\nnodes:\n"),
        Expected("H101", "4:1", "write it in the node that makes the"),
    ),
    (
        "`parallel` in a flow",
        changed("nodes:\n", "parallel: true\nnodes:\n"),
        Expected("H101", "4:1", "`while_waiting: restart`"),
    ),
    ("`edges` in a flow", changed("nodes:\n", "edges: []\nnodes:\n"), Expected("H101", "4:1", "`next: other_node`")),
    (
        "`when` in a flow",
        changed("nodes:\n", "when: event.properties.x > 1\nnodes:\n"),
        Expected("H101", "4:1", "`trigger: {event: …, when: …}`"),
    ),
    (
        "`secrets` in a flow",
        changed("nodes:\n", "secrets: {}\nnodes:\n"),
        Expected("H101", "4:1", '`headers: {Authorization: "${env:KEY}"}`'),
    ),
    (
        "a file of Kestra",
        "id: order\nnamespace: x\ntasks:\n  - id: a\n    type: io.kestra.Log\n",
        Expected("H127", "1:1", "`flow`"),
    ),
    (
        "a file of GitHub Actions",
        "name: order\non: push\njobs:\n  a: {runs-on: x, steps: []}\n",
        Expected("H127", "2:1", "`flow`"),
    ),
    (
        "a file of Home Assistant",
        "alias: order\ntrigger:\n  - platform: event\n    event_type: x\naction:\n  - service: notify.me\n",
        Expected("H127", "2:1", "`flow`"),
    ),
    (
        "a file of n8n",
        "name: order\nnodes:\n  - name: Start\n    type: n8n-nodes-base.start\nconnections: {}\n",
        Expected("H127", "2:1", "`flow`"),
    ),
    ("a file of nobody", "version: '3'\nimages: {}\n", Expected("H127", "1:1", "`flow`")),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_one_problem_at_its_place_with_its_remedy(tmp_path: Path, text: str, expected: Expected) -> None:
    diagnostics = diagnostics_of(tmp_path, text)
    assert found(diagnostics) == [(expected.code, expected.place)]
    assert expected.help in diagnostics[0].help

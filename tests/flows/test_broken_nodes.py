"""Nodes that are written as in another tool, or at another level: one problem for each, and nothing that follows."""

from pathlib import Path

import pytest

from tests.flows.one_file import HEAD, Expected, changed, diagnostics_of, found

MISTAKES = [
    (
        "a type in two levels",
        changed("segment.add: vip", "segment: {add: vip}"),
        Expected("H111", "12:5", "`segment.add: …`"),
    ),
    (
        "a type of another tool with its fields beside it",
        changed("segment.add: vip", "email: a@b.example\n    subject: hello"),
        Expected("H111", "12:5", "`deliver.email: {"),
    ),
    (
        "an event that is not indented",
        changed("trigger:\n  event", "trigger:\nevent"),
        Expected("H126", "3:1", "put two spaces before this line and"),
    ),
    (
        "an id that is not indented",
        changed("  note:\n", "note:\n"),
        Expected("H126", "17:1", "put two spaces before this line and"),
    ),
    (
        "ids that are not indented",
        HEAD + "nodes:\na:\n  log: x\n  next: b\nb:\n  log: x\n",
        Expected("H126", "4:1", "put two spaces before each of these"),
    ),
    (
        "a type that is not indented",
        changed("  note:\n    log", "  note:\n  log"),
        Expected("H126", "18:3", "put two spaces before this line"),
    ),
    (
        "`next` at the level of the id",
        changed("    next: crm\n", "  next: crm\n"),
        Expected("H126", "13:3", "put two spaces before this line"),
    ),
    (
        "fields that are not indented",
        HEAD + "nodes:\n  a:\n    profile.set:\n    traits.x: 1\n    traits.y: 2\n    next: b\n  b: {log: x}\n",
        Expected("H126", "6:5", "put two spaces before each of these"),
    ),
    (
        "ports that are not indented",
        HEAD + "nodes:\n  a:\n    if: event.properties.x > 1\n    next:\n    then: b\n    else: b\n  b: {log: x}\n",
        Expected("H126", "7:5", "put two spaces before each of these"),
    ),
    (
        "the keys of `retry` that are not indented",
        changed("    next: {found", "    retry:\n    times: 3\n    next: {found"),
        Expected("H126", "17:5", "put two spaces before this line"),
    ),
    (
        "`next` below a type",
        changed(
            "profile.increment: {traits.orders: 1}\n    next: big",
            "profile.increment:\n      traits.orders: 1\n      next: big",
        ),
        Expected("H124", "8:7", "`profile.increment`"),
    ),
    (
        "`next` below a look-up",
        changed(
            "lookup.http: {target: crm, path: /vip}\n    next:",
            "lookup.http:\n      target: crm\n      path: /vip\n      next:",
        ),
        Expected("H124", "18:7", "`lookup.http`"),
    ),
    (
        "`timeout` below a look-up",
        changed("path: /vip}", "path: /vip, timeout: 3s}"),
        Expected("H124", "15:44", "`lookup.http`"),
    ),
    (
        "`retry` below a look-up",
        changed("path: /vip}", "path: /vip, retry: {times: 2}}"),
        Expected("H124", "15:44", "`lookup.http`"),
    ),
    (
        "`next` below `respond`",
        HEAD + "nodes:\n  a:\n    respond:\n      x: 1\n      next: b\n  b: {log: x}\n",
        Expected("H124", "7:7", "`respond`"),
    ),
    (
        "a number in place of `retry`",
        changed("    next: {found", "    retry: 3\n    next: {found"),
        Expected("H103", "16:12", "`retry: {times: 3, backoff: 500ms}`"),
    ),
    (
        "`condition` in the trigger",
        changed("event: order-paid\n", "event: order-paid\n  condition: event.properties.x > 1\n"),
        Expected("H101", "4:3", "`when: …`"),
    ),
    (
        "`condition` beside a type",
        changed("segment.add: vip\n", "segment.add: vip\n    condition: event.properties.x > 1\n"),
        Expected("H101", "13:5", "`when: …`"),
    ),
    ("`condition` in place of `if`", changed("if: profile", "condition: profile"), Expected("H111", "9:5", "`if: …`")),
    (
        "`if` beside a type",
        changed("segment.add: vip\n", "segment.add: vip\n    if: event.properties.x > 1\n"),
        Expected("H112", "13:5", "`when: …`"),
    ),
    (
        "a map below `if`",
        changed(
            "if: profile.traits.orders > 2\n    next: {then: vip}",
            "if:\n      condition: profile.traits.orders > 2\n      then: vip",
        ),
        Expected("H114", "9:5", "`if: profile.traits.orders > 2`"),
    ),
    (
        "a list below `if`",
        changed("if: profile.traits.orders > 2", "if: [profile.traits.orders > 2, profile.traits.x > 1]"),
        Expected("H114", "9:9", "` or `"),
    ),
    (
        "a node below `then`",
        changed("next: {then: vip}", "then:\n      segment.add: vip\n    next: {else: vip}"),
        Expected("H122", "10:5", "`next: {then: its_id}`"),
    ),
    ("`then` beside `if`", changed("next: {then: vip}", "then: vip"), Expected("H122", "10:5", "`next: {then: vip}`")),
    ("ports by other words", changed("next: {then: vip}", 'next: {"true": vip}'), Expected("H116", "10:12", "`then`")),
    (
        "`elif` as a port",
        changed("next: {then: vip}", "next: {then: vip, elif: note}"),
        Expected("H116", "10:23", "`else`"),
    ),
    (
        "`on_error` in a node",
        changed("segment.add: vip\n", "segment.add: vip\n    on_error: note\n"),
        Expected("H101", "13:5", "`next: {done: crm, failed: note}`"),
    ),
    ("`goto` in a node", changed("next: big", "goto: big"), Expected("H101", "7:5", "`next: big`")),
    ("a misspelt `next`", changed("next: big", "nxet: big"), Expected("H101", "7:5", "`next`")),
    (
        "`depends_on` in a node",
        changed("segment.add: vip\n", "depends_on: [big]\n    segment.add: vip\n"),
        Expected("H101", "12:5", "`next: vip`"),
    ),
    (
        "`foreach` beside a type",
        changed("segment.add: vip\n", "segment.add: vip\n    foreach: event.properties.items\n"),
        Expected("H101", "13:5", "`each: {in: "),
    ),
    (
        "`id` in a node",
        changed("segment.add: vip\n", "id: vip\n    segment.add: vip\n"),
        Expected("H101", "12:5", "the key above is the node's id: delete"),
    ),
    (
        "`name` in a node",
        changed("segment.add: vip\n", "name: Make VIP\n    segment.add: vip\n"),
        Expected("H101", "12:5", "`description: …`"),
    ),
    (
        "`enabled` in a node",
        changed("segment.add: vip\n", "segment.add: vip\n    enabled: false\n"),
        Expected("H101", "13:5", "`disabled: true`"),
    ),
    (
        "`end` in a node",
        changed('log: "The order {{ event.id }} is paid"\n', "log: x\n    end: true\n"),
        Expected("H101", "19:5", "`next`"),
    ),
    (
        "`next: end`",
        changed('log: "The order {{ event.id }} is paid"\n', "log: x\n    next: end\n"),
        Expected("H117", "19:11", "`next`"),
    ),
    ("a port that leads to `end`", changed("failed: note}", "failed: end}"), Expected("H117", "16:48", "`next`")),
    (
        "several ids in one text",
        changed("next: crm\n", "next: crm, note\n"),
        Expected("H117", "13:11", "`next: [crm, note]`"),
    ),
    (
        "a template as an edge",
        changed("next: crm\n", 'next: "{{ event.type }}"\n'),
        Expected("H117", "13:11", "` or `"),
    ),
    (
        "the id of an edge as a value",
        changed("next: crm\n", "next: {id: crm}\n"),
        Expected("H103", "13:12", "`next: crm`"),
    ),
    (
        "a node below `next`",
        changed(
            "next: {found: note, missing: note, failed: note}\n  note:\n    log",
            "next:\n      found: {log: x}\n  note:\n    log",
        ),
        Expected("H103", "17:7", "`next: its_id`"),
    ),
    (
        "`type` and `config`",
        changed(
            "lookup.http: {target: crm, path: /vip}\n", "type: lookup.http\n    config: {target: crm, path: /vip}\n"
        ),
        Expected("H125", "15:5", '`lookup.http: {target: crm, path: "/vip"}`'),
    ),
    (
        "`type` with the fields beside it",
        changed("lookup.http: {target: crm, path: /vip}\n", "type: lookup.http\n    target: crm\n    path: /vip\n"),
        Expected("H125", "15:5", '`lookup.http: {target: crm, path: "/vip"}`'),
    ),
    (
        "`uses` and `with`",
        changed("segment.add: vip\n", "uses: segment.add\n    with: vip\n"),
        Expected("H125", "12:5", "`segment.add: vip`"),
    ),
    (
        "`type` with an unknown type",
        changed("segment.add: vip\n", "type: http.get\n    url: https://x.example\n"),
        Expected("H125", "12:5", "`lookup.http`"),
    ),
    (
        "a path as a value",
        changed("segment.add: vip", "profile.set: {key: traits.tier, value: gold}"),
        Expected("H125", "12:19", "`profile.set: {traits.tier: gold}`"),
    ),
    (
        "a node that is a text",
        changed("vip:\n    segment.add: vip\n    next: crm\n", "vip: segment.add\n"),
        Expected("H103", "11:8", "`segment.add: …`"),
    ),
    (
        "a node that is a list",
        changed("segment.add: vip\n    next: crm\n", "- segment.add: vip\n    - log: x\n"),
        Expected("H103", "11:3", "`next: …`"),
    ),
    (
        "a node that is empty",
        changed('    log: "The order {{ event.id }} is paid"\n', ""),
        Expected("H110", "17:3", "`segment.add: vip`"),
    ),
    (
        "two types",
        changed("segment.add: vip\n", "segment.add: vip\n    log: hello\n"),
        Expected("H112", "13:5", "` into a node of its own and lead to it: `"),
    ),
    (
        "a list of nodes with names",
        HEAD + "nodes:\n  - name: count\n    profile.increment: {traits.orders: 1}\n  - name: note\n    log: hello\n",
        Expected("H103", "3:1", "`count: {…}`"),
    ),
    (
        "a list of nodes by id",
        HEAD + "nodes:\n  - count:\n      profile.increment: {traits.orders: 1}\n  - note:\n      log: hello\n",
        Expected("H103", "3:1", "`count: {…}`"),
    ),
    (
        "`steps` with a list of nodes",
        HEAD + "steps:\n  - profile.increment: {traits.orders: 1}\n  - log: hello\n",
        Expected("H101", "3:1", "`nodes:`"),
    ),
    ("`tasks` in place of `nodes`", changed("nodes:\n", "tasks:\n"), Expected("H101", "4:1", "`nodes:`")),
    ("the type `delay`", changed("segment.add: vip\n", "delay: x\n"), Expected("H111", "12:5", "`wait: 2h`")),
    ("the type `sleep`", changed("segment.add: vip\n", "sleep: x\n"), Expected("H111", "12:5", "`wait: 2h`")),
    (
        "the type `webhook`",
        changed("segment.add: vip\n", "webhook: x\n"),
        Expected("H111", "12:5", "`deliver.webhook: {"),
    ),
    ("the type `http`", changed("segment.add: vip\n", "http: x\n"), Expected("H111", "12:5", "`lookup.http`")),
    ("the type `slack`", changed("segment.add: vip\n", "slack: x\n"), Expected("H111", "12:5", "`deliver.slack: {")),
    ("the type `email`", changed("segment.add: vip\n", "email: x\n"), Expected("H111", "12:5", "`deliver.email: {")),
    ("the type `sms`", changed("segment.add: vip\n", "sms: x\n"), Expected("H111", "12:5", "`deliver.http: {")),
    (
        "the type `set`",
        changed("segment.add: vip\n", "set: x\n"),
        Expected("H111", "12:5", "` computes values for later nodes, `"),
    ),
    ("the type `merge`", changed("segment.add: vip\n", "merge: x\n"), Expected("H111", "12:5", "`next`")),
    (
        "the type `parallel`",
        changed("segment.add: vip\n", "parallel: x\n"),
        Expected("H111", "12:5", "`next: [first, second]`"),
    ),
    ("the type `end`", changed("segment.add: vip\n", "end: x\n"), Expected("H111", "12:5", "`next`")),
    ("the type `loop`", changed("segment.add: vip\n", "loop: x\n"), Expected("H111", "12:5", "`each: {in: ")),
    ("the type `script`", changed("segment.add: vip\n", "script: x\n"), Expected("H111", "12:5", "`lookup.http`")),
    ("the type `print`", changed("segment.add: vip\n", "print: x\n"), Expected("H111", "12:5", "`log: …`")),
    (
        "the type `filter_by`",
        changed("segment.add: vip\n", "filter_by: x\n"),
        Expected("H111", "12:5", "`headrace nodes`"),
    ),
    (
        "a number in quotes",
        changed("traits.orders: 1}", 'traits.orders: "5"}'),
        Expected("H114", "6:40", "write 5: a number has no quotes and no"),
    ),
    (
        "a number with an underscore",
        changed("traits.orders: 1}", "traits.orders: 1_000}"),
        Expected("H114", "6:40", "write 1000: a number has no quotes and"),
    ),
    (
        "a duration without its unit",
        changed("    next: {found", "    timeout: 5\n    next: {found"),
        Expected("H119", "16:14", "write the unit, too: 5ms, 5s, 5m, 5h or"),
    ),
    (
        "a field of another name in place of a required one",
        changed("target: crm, path", 'url: "https://x.example", path'),
        Expected("H113", "15:19", "`targets: {crm: {url: …}}`"),
    ),
    (
        "a path without its root",
        changed("traits.orders: 1}", "orders: 1}"),
        Expected("H114", "6:25", "`traits.orders`"),
    ),
    (
        "a path with `profile`",
        changed("traits.orders: 1}", "profile.traits.orders: 1}"),
        Expected("H114", "6:25", "`traits.orders`"),
    ),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_one_problem_at_its_place_with_its_remedy(tmp_path: Path, text: str, expected: Expected) -> None:
    diagnostics = diagnostics_of(tmp_path, text)
    assert found(diagnostics) == [(expected.code, expected.place)]
    assert expected.help in diagnostics[0].help


MEANT = [
    (
        "nodes with ids that are keys of nodes",
        HEAD + "nodes:\n  a:\n    log: x\n    next: next\n  next:\n    log: y\n    next: when\n  when: {log: z}\n",
    ),
    ("a node with the id of a type", HEAD + "nodes:\n  a:\n    log: x\n    next: log\n  log:\n    log: y\n"),
    ("counters with names of keys of nodes", HEAD + "nodes:\n  a:\n    profile.count: {retry: 1, timeout: 2}\n"),
    ("a response with names of other tools", HEAD + "nodes:\n  a:\n    respond: {id: x, type: y, config: {a: 1}}\n"),
    (
        "an output by the name of a key of nodes",
        HEAD + "nodes:\n  a:\n    let: {next: 5}\n    next: b\n  b:\n    respond: {next: '{{ nodes.a.out.next }}'}\n",
    ),
    ("a dash in prose", HEAD + "description: – see below\nnodes:\n  a: {log: Berlin–Hamburg}\n"),
]


@pytest.mark.parametrize("text", [row[1] for row in MEANT], ids=[row[0] for row in MEANT])
def test_a_node_with_names_that_other_tools_use_otherwise_is_no_mistake(tmp_path: Path, text: str) -> None:
    assert diagnostics_of(tmp_path, text) == ()

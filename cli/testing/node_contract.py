"""The contract of node types: authors run it by `headrace nodes test`, or in a test of their own by `node_contract`.

A node type is registered and documented, has examples that compile and run, is a pure function, leaves by its own
ports, and has plain data as its output. Each example is run for one sample event (`node_sample`).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Meta

from cli.testing.io_watch import watched_io
from cli.testing.node_sample import node_context, sample_inputs
from engine.flow.ask import (
    Ask,
    CacheGet,
    CacheReply,
    HttpAsk,
    HttpReply,
    NoAnswer,
    ProfileById,
    ProfileByKey,
    ProfileReply,
    ProfilesByKeys,
    ProfilesReply,
    Reply,
    SessionById,
    SessionReply,
)
from engine.flow.compile import compile_flow
from engine.flow.machine import Machine
from engine.flow.names import ProjectNames
from engine.flow.node import NO_OUTPUT, Node, NodeContext, Outcome, asks, declared_ports, type_name
from engine.flow.node_draft import COMMON_KEYS
from engine.flow.own_type import defects
from engine.flow.plan import Flow, PlannedNode
from engine.flow.registry import Registry, field_notes
from engine.language.absent import Unusable
from engine.problem import Problem
from flows.project import load_project
from flows.reader import read_yaml
from nodes import builtin


class BrokenContract(AssertionError):
    """A node type does not keep the contract. The message lists why."""


def own_node(project: Path, name: str) -> type[Node]:
    """Return a node type of the project in this directory. Raises `LookupError` with the reports about its nodes."""
    loaded = load_project(project, builtin())
    node = loaded.registry.find(name)
    if node is not None:
        return node
    reports = [
        f"{found.file}:{found.line}: {found.message}" for found in loaded.diagnostics if found.file[:6] == "nodes/"
    ]
    raise LookupError("\n".join([f"there is no node type `{name}` in {project}/nodes", *reports]))


def node_contract(node: type[Node], properties: Mapping[str, Any] = {}, traits: Mapping[str, Any] = {}) -> None:
    """Check a node type. Raises `BrokenContract`.

    `properties` of the event and `traits` of the profile are added to those of the sample, or replace them.
    """
    if broken := list(contract_breaches(node, properties, traits)):
        raise BrokenContract("\n".join([f"`{type_name(node)}` does not keep the contract:", *broken]))


def contract_breaches(
    node: type[Node], properties: Mapping[str, Any] = {}, traits: Mapping[str, Any] = {}
) -> Iterator[str]:
    """Yield what a node type does that none should, in words for its author."""
    wrong = [f"{message}: {remedy}" if remedy else message for message, remedy in defects(node)]
    yield from wrong
    if wrong:
        return
    for name, notes in field_notes(node).items():
        if not any(isinstance(note, Meta) and note.examples for note in notes):
            yield f"the field `{name}` has no example: write `Meta(description=…, examples=[…])`"
    if not node.examples:
        yield "it has no `examples`: each is the text of a node as a flow has it"
    for number, text in enumerate(node.examples, 1):
        for breach in _example_breaches(node, text, properties, traits):
            yield f"example {number}: {breach}"


def _example_breaches(
    node: type[Node], text: str, properties: Mapping[str, Any], traits: Mapping[str, Any]
) -> Iterator[str]:
    flow, problems = _compiled(node, text)
    yield from (f"{problem.message}" + (f" ({problem.help})" if problem.help else "") for problem in problems)
    if flow is None:
        return
    planned = flow.nodes[0]
    if planned.node is not node:
        yield f"it is a node of the type `{type_name(planned.node)}`"
        return
    yield from _run_breaches(planned, node_context(properties, traits))
    machine = Machine(flow, sample_inputs(properties, traits))
    machine.advance()
    if machine.outcome == "failed":
        yield f"its run fails: {machine.reason}"


def _compiled(node: type[Node], text: str) -> tuple[Flow | None, list[Problem]]:
    """Return a flow with an example as its only nodes, and what is wrong with it."""
    document = read_yaml(text, "example")
    if document.failed or not isinstance(document.data, dict):
        return None, list(document.problems) or [Problem(code="H030", message="it is no map of nodes")]
    ids = [id for id, raw in document.data.items() if isinstance(raw, dict) and set(raw) - set(COMMON_KEYS)]
    if len(ids) != 1:
        return None, [Problem(code="H030", message="it is not one node, with its id and its type")]
    types = [each for each in _builtin() if type_name(each) != type_name(node)]
    trigger = {"every": "1h"} if node.uses_task else {"event": "order-paid"}
    flow: dict[str, Any] = {"flow": "example", "trigger": trigger, "nodes": document.data}
    if node.waits:
        flow["while_waiting"] = "parallel"
    compiled, problems = compile_flow(flow, _AnyNames(), Registry([*types, node]))
    return compiled, [problem for problem in problems if problem.severity == "error"]


@cache
def _builtin() -> Registry:
    return builtin()


class _AnyNames(ProjectNames, frozen=True):
    """The names of a project that has everything that an example refers to."""

    def problem(self, kind: str, name: str) -> Problem | None:
        """Return no problem."""
        return None


def _run_breaches(planned: PlannedNode, context: NodeContext) -> Iterator[str]:
    """Run a node as often as it takes to see whether it is a pure function, and look at what comes out."""
    try:
        made = planned.template(_scope(context))
        again = planned.template(_scope(context))
    except Unusable as error:
        yield f"{error}: use what the sample event has, or pass `properties` to `node_contract`"
        return
    before = msgspec.json.encode(context)
    try:
        first = _result(made, context)
        with watched_io() as done:
            second = _result(again, context)
        yield from dict.fromkeys(f"it {each}; a node does nothing but return its outcome" for each in done)
        if first != second:
            yield "it returns something else when it runs again: it may use no clock, chance or kept values"
        if msgspec.json.encode(context) != before:
            yield "it changes the event, the session or the profile: return effects in place of that"
        yield from _result_breaches(planned, made, first, context)
    except Exception as bug:  # noqa: BLE001  # the boundary to other authors' code
        yield f"it raises {type(bug).__name__}: {bug}"


def _result(made: Node, context: NodeContext) -> Outcome | Ask:
    return made.ask(context) if asks(type(made)) else made.run(context)


def _result_breaches(planned: PlannedNode, made: Node, result: Outcome | Ask, context: NodeContext) -> Iterator[str]:
    if isinstance(result, Outcome):
        yield from _outcome_breaches(planned, result)
        return
    if not asks(planned.node) or not isinstance(result, Ask):
        yield f"it returns {result!r}, not one of its ports: `return self.done(…)`"
        return
    for reply in _replies(result):
        answered: Any = made.answer(context, reply)
        if isinstance(answered, Outcome):
            yield from _outcome_breaches(planned, answered)
        elif not isinstance(answered, Ask):
            yield f"`answer` returns {answered!r} to {type(reply).__name__}, neither a port nor another ask"


def _outcome_breaches(planned: PlannedNode, outcome: Outcome) -> Iterator[str]:
    if outcome.port not in planned.ports:
        yield f"it leaves by `{outcome.port}`, which is none of its ports"
        return
    if not _is_plain(outcome.out):
        yield f"its output {outcome.out!r} is no plain data: texts, numbers, true, false, null, lists, maps by text"
    elif outcome.out is not None and planned.node.output == NO_OUTPUT and "own_output" not in vars(planned.node):
        yield "it has an output and does not declare one: write `output = ANYTHING` in the class"
    port = declared_ports(planned.node).get(outcome.port)
    if port is not None and port.failure and not outcome.reason:
        yield f"it leaves by `{outcome.port}` without a reason: `return self.{outcome.port}(reason=…)`"


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _replies(ask: Ask) -> list[Reply]:
    """Return replies that may come to an ask: none in time, and what it asked for or the lack of it."""
    late = NoAnswer("timeout", "no answer within 2000 ms")
    match ask:
        case HttpAsk():
            return [late, HttpReply(200, {}), HttpReply(200, None), HttpReply(404), HttpReply(500, "text")]
        case ProfileById() | ProfileByKey():
            return [late, ProfileReply(None)]
        case ProfilesByKeys(keys=keys):
            return [late, ProfilesReply(tuple([ProfileReply(None) for _ in keys]))]
        case CacheGet():
            return [late, CacheReply(hit=False), CacheReply(hit=True, value=None)]
        case SessionById():
            return [late, SessionReply(None)]
    return [late]


def _scope(context: NodeContext) -> dict[str, Any]:
    roots = {"event": context.event, "session": context.session, "profile": context.profile, "source": context.source}
    return {**roots, "nodes": {}, "now": context.now}

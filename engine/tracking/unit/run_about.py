"""The facts about a run by which it is counted and found."""

from engine.flow.effect import Log
from engine.flow.machine import Machine
from engine.flow.node import Node, type_name
from engine.language.quoting import plain
from engine.tracking.unit.cause import cause_of
from engine.tracking.unit.effects import About, Kept
from engine.tracking.unit.run_counter import RunKey

MAX_LOGS = 20  # texts of a run that are found by a search
MAX_LOG = 500  # characters of each
_LEVELS = ("debug", "info", "warning", "error")


def run_key(machine: Machine, outcome: str) -> RunKey:
    """Return the properties by which a run is counted.

    A run that has waited is counted by each stretch, with the ports that its nodes left by in this one.
    """
    flow, ports = machine.flow, tuple(machine.left_by)
    if machine.earlier:
        ports = tuple([None if index in machine.earlier else port for index, port in enumerate(ports)])
    if not machine.notable and outcome != "failed":
        return RunKey(flow.name, flow.version, outcome, ports)
    node, port, reason = machine.first_failure()
    level = max((log.level for log in _logs(machine)), key=_LEVELS.index, default="")
    level = level if level in {"warning", "error"} else ""
    return RunKey(flow.name, flow.version, outcome, ports, node, port, _cause(machine, node, reason), level)


def _logs(machine: Machine) -> list[Log]:
    return [effect for _, effect in machine.effects() if isinstance(effect, Log)]


def _cause(machine: Machine, node: str, reason: str) -> str:
    """Return the reason of a node without data; all words of a node type that is not built in may be data."""
    planned = machine.flow.all_nodes.get(node.rpartition(".")[2].partition("[")[0])
    by_author = planned is not None and (type_name(planned.node) == "fail" or not is_built_in(planned.node))
    return cause_of(reason, machine.flow.text, written_by_author=by_author)


def about_run(machine: Machine, key: RunKey, debug: bool, share: float) -> About:
    """Return the facts about a run whose trace is kept; `share` is that of its flow's uneventful runs."""
    logs = _logs(machine) if machine.notable else []
    level = max((log.level for log in logs), key=_LEVELS.index, default="")
    nodes = [f"{machine.flow.nodes[index].id}:{settled.port}" for index, settled in machine.settled.items()]
    kept = _kept(key, level, debug)
    return About(
        kept=kept,
        key=key,
        share=share if kept == "sampled" and share < 1 else None,
        level=level,
        logs=tuple([plain(log.message)[:MAX_LOG] for log in logs[:MAX_LOGS]]),
        nodes=tuple(nodes),
    )


def _kept(key: RunKey, level: str, debug: bool) -> Kept:
    """Return why a run is kept; the first reason that holds."""
    if key.outcome == "failed":
        return "failed"
    if key.port:
        return "failed-port"
    if level in {"warning", "error"}:
        return "logged"
    return "debugged" if debug else "paused" if key.outcome == "paused" else "sampled"


def is_built_in(node: type[Node]) -> bool:
    """Return whether a node type comes with Headrace."""
    return node.__module__.partition(".")[0] == "nodes"

"""The reasons for what a step did, from the traces of its runs, in a few lines each."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from rich.text import Text

from cli.traces import BAD, QUIET, evaluated, named_steps, no_run, nodes_not_run, path, step_lines
from engine.profile.document import Profile
from engine.project.explanation import explain_segment
from engine.project.project import Project
from engine.tracking.intake.payload import Refusal

Trace = dict[str, Any]

_LEFT = re.compile(r"([\w.\[\]]+) left by \w+")
_DID_NOT_RUN = re.compile(r"([\w.\[\]]+) did not run")


def of_run(run: Trace | None, node: str | None = None) -> Iterator[Text]:
    """Yield why a run took its path; with a `node`, why that node left by its port or did not run."""
    if run is None:
        yield Text("no event of this step has a type that triggers the flow", QUIET)
        return
    if "steps" not in run:
        yield no_run(run)
        return
    if node is not None:
        yield from _of_node(run, node)
    elif "reason" in run:
        yield Text.assemble(("fails at ", BAD), f"{run.get('failed_at', '?')}: {run['reason']}")
    yield Text.assemble((f"{run['flow']}  ", "cyan"), path(run))


def of_runs(runs: Iterable[Trace]) -> Iterator[Text]:
    """Yield what all flows of a step did; if none ran, why not."""
    runs = list(runs)
    started = [run for run in runs if "steps" in run]
    relevant = started or [run for run in runs if "event.type" not in run["reason"]["values"]]
    for run in relevant:
        yield from of_run(run)
    if not relevant:
        yield Text("no event of this step triggers a flow" if runs else "no flow ran", QUIET)


def of_refusal(refusal: Refusal) -> str:
    """Return why a payload was refused: the errors of its events or of the payload itself, each with its place."""
    errors = "; ".join(f"{error['reason']} (at {error['at']})" for error in refusal.errors)
    return errors or refusal.detail + (f" (at {refusal.at})" if refusal.at else "")


def of_segment(project: Project, profile: Profile, segment: str, now: int) -> Iterator[Text]:
    """Yield why a profile is or is not in a segment at `now` (ms)."""
    explanation = explain_segment(project, profile, segment, now)
    if "condition" in explanation:
        yield evaluated(explanation["condition"], explanation["holds"], explanation["values"])
        windows = [f"{key}: {explanation[key]}" for key in ("for", "within") if key in explanation]
        if windows:
            yield Text(", ".join(windows), QUIET)
    else:
        yield Text("flows fill it, with `segment.add` and `segment.remove`", QUIET)


def _of_node(run: Trace, node: str) -> Iterator[Text]:
    steps, not_run = named_steps(run), nodes_not_run(run)
    if node in not_run:
        node, reason = _first_not_run(node, not_run)
        yield Text(f"{node}: {reason}")
        branch = _LEFT.match(reason)
        node = branch[1] if branch else node
    for line in step_lines(steps[node]) if node in steps else ():
        yield Text(f"{node}: ").append_text(line)


def _first_not_run(node: str, not_run: dict[str, str]) -> tuple[str, str]:
    """Return the first node before `node` that did not run, and why."""
    for _ in not_run:
        before = _DID_NOT_RUN.match(not_run[node])
        if before is None or before[1] not in not_run:
            break
        node = before[1]
    return node, not_run[node]

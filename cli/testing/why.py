"""Why something came out as it did: from the traces of a step, in a few lines."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from rich.text import Text

from cli.traces import BAD, QUIET, evaluated, no_run, path, step_lines
from engine.profile.document import Profile
from engine.project.explanation import explain_segment
from engine.project.project import Project
from engine.tracking.intake.payload import Refusal

Trace = dict[str, Any]

_LEFT = re.compile(r"(\w+) left by \w+")
_DID_NOT_RUN = re.compile(r"(\w+) did not run")


def of_run(run: Trace | None, node: str | None = None) -> Iterator[Text]:
    """Why a run went the way it did; with a `node`, why that one left as it did, or did not run."""
    if run is None:
        yield Text("no event of this step is of a type that it takes", QUIET)
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
    """What all the flows of a step did; where none ran, why not."""
    runs = list(runs)
    ran = [run for run in runs if "steps" in run]
    shown = ran or [run for run in runs if "event.type" not in run["reason"]["values"]]
    for run in shown:
        yield from of_run(run)
    if not shown:
        yield Text("no flow takes an event of this step" if runs else "no flow ran", QUIET)


def of_refusal(refusal: Refusal) -> str:
    """Why a payload was not taken: what is wrong with its events, or with it, and where."""
    told = "; ".join(f"{one['reason']} (at {one['at']})" for one in refusal.errors)
    return told or refusal.detail + (f" (at {refusal.at})" if refusal.at else "")


def of_segment(project: Project, profile: Profile, segment: str, now: int) -> Iterator[Text]:
    """How a profile stands with a segment now."""
    told = explain_segment(project, profile, segment, now)
    if "condition" in told:
        yield evaluated(told["condition"], told["holds"], told["values"])
        windows = [f"{key}: {told[key]}" for key in ("for", "within") if key in told]
        if windows:
            yield Text(", ".join(windows), QUIET)
    else:
        yield Text("it is filled by hand: by `segment.add` and `segment.remove`", QUIET)


def _of_node(run: Trace, node: str) -> Iterator[Text]:
    steps = {step["node"]: step for step in run["steps"]}
    missing = {one["node"]: one["why"] for one in run["not_run"]}
    if node in missing:
        node, reason = _root(node, missing)
        yield Text(f"{node}: {reason}")
        found = _LEFT.match(reason)
        node = found[1] if found else node
    for line in step_lines(steps[node]) if node in steps else ():
        yield Text(f"{node}: ").append_text(line)


def _root(node: str, missing: dict[str, str]) -> tuple[str, str]:
    """The first node on the way that did not run, and why."""
    for _ in missing:
        before = _DID_NOT_RUN.match(missing[node])
        if before is None or before[1] not in missing:
            break
        node = before[1]
    return node, missing[node]

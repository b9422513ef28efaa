"""Notes about events of a case that start no flow, though no expectation says so: most often a misspelt type."""

from collections.abc import Iterable, Iterator

from cli.testing.step_runner import StepResult, StepRunner
from engine.flow.plan import Flow
from engine.flow.schedule import SCHEDULE_FIRED
from engine.problem import closest
from engine.tracking.intake.consent import CONSENT_CHANGED
from flows.case import Expect, Run


def unstarted_notes(runner: StepRunner, expect: Expect, result: StepResult) -> Iterator[str]:
    """Yield a note for each type of the step's events that no flow takes.

    There is none where the step starts a flow all the same (by an event of the system), or expects that it starts none.
    """
    if result.refusal is not None or any("steps" in run for run in result.runs) or _expects_nothing(expect):
        return
    for type in dict.fromkeys(runner.sent_types):
        if type == CONSENT_CHANGED or _takers(runner.project.flows, type):
            continue
        note = f"no flow takes the event `{type}`"
        if others := _takers(runner.whole.flows, type):
            names = "`, `".join(others)
            yield f"the flows that take `{type}` do not run: to run them, add `{names}` to the file's `flows`"
        elif type == SCHEDULE_FIRED:
            yield f"no event that is sent starts a flow with a schedule: `fire: {_scheduled(runner.whole.flows)}` does"
        elif near := closest(type, {name for flow in runner.whole.flows for name in flow.trigger.events}):
            yield f"{note}: did you mean `{near}`?"
        else:
            yield f"{note}; if that is meant, expect `runs: {{NAME: not-triggered}}` for a flow"


def _expects_nothing(expect: Expect) -> bool:
    runs = expect.runs.values() if isinstance(expect.runs, dict) else ()
    return any((run.outcome if isinstance(run, Run) else run) == "not-triggered" for run in (expect, *runs))


def _scheduled(flows: Iterable[Flow]) -> str:
    """The name of a flow with a schedule."""
    return next((flow.name for flow in flows if flow.trigger.schedule is not None), "NAME")


def _takers(flows: Iterable[Flow], type: str) -> list[str]:
    return [flow.name for flow in flows if flow.trigger.matches_type(type)]

"""Runs a case of a test file step by step, up to the first step that fails."""

from collections.abc import Iterator

from msgspec import UNSET, Struct

from cli.testing import reasons
from cli.testing.expectations import CheckContext, Failure, failures
from cli.testing.mocks import UnusedMock
from cli.testing.step_runner import ImpossibleStep, StepResult, StepRunner
from cli.testing.unstarted import unstarted_notes
from engine.problem import KeyPath
from engine.tracking.intake.payload import Refusal
from flows.case import ACTIONS, Case, Expect, Run, Send, TestStep


class Played(Struct, frozen=True):
    """The result of a case: the failures of its first step that fails, if any, and notes on the steps until then."""

    failures: list[Failure]
    notes: list[str]


async def run_case(runner: StepRunner, case: Case, at: KeyPath) -> Played:
    """Run the case at a place of its file, up to its first step that fails."""
    notes: list[str] = []
    return Played(await _failures(runner, case, at, notes), list(dict.fromkeys(notes)))


async def _failures(runner: StepRunner, case: Case, at: KeyPath, notes: list[str]) -> list[Failure]:
    place = (*at, "given")
    try:
        await runner.start(case.given)
        runner.mocks.add(case.mocks, (*at, "mocks"))
        for step, step_at, key in _steps(case, at):
            place = (*step_at, key)
            runner.mocks.add(step.mocks, (*step_at, "mocks"))
            result = await runner.run(step)
            notes += unstarted_notes(runner, step.expect, result)
            if result.refusal is not None and not step.expect.refused:
                return [_refused(result.refusal, place)]
            unexpected = failures(step.expect, (*step_at, "expect"), CheckContext(result, runner))
            found = [*_unmocked(result, place, runner.tested), *unexpected]
            if found := found or list(_failed(result, step.expect, place, runner)):
                return found
    except ImpossibleStep as impossible:
        return [Failure(place, str(impossible), on_key=True)]
    return [_unused(mock) for mock in runner.mocks.unused()]


def _steps(case: Case, at: KeyPath) -> Iterator[tuple[TestStep, KeyPath, str]]:
    """Yield each step with its place and the key of its action. A case with an `event` has this one step."""
    if isinstance(case.event, Send):
        yield TestStep(send=case.event, expect=case.expect), at, "event"
    if isinstance(case.webhook, str):
        yield TestStep(webhook=case.webhook, expect=case.expect), at, "webhook"
    if isinstance(case.fire, str):
        yield TestStep(fire=case.fire, expect=case.expect), at, "fire"
    for i, step in enumerate(case.steps):
        actions = (key for key in ACTIONS if getattr(step, key) is not UNSET)
        yield step, (*at, "steps", i), next(actions)


def _refused(refusal: Refusal, at: KeyPath) -> Failure:
    """The failure of a payload that was refused unexpectedly."""
    help = f"if the case expects this, write `expect: {{refused: {refusal.kind}}}`"
    return Failure(at, f"the payload is refused: {reasons.of_refusal(refusal)}", help=help, on_key=True)


def _unmocked(result: StepResult, at: KeyPath, tested: frozenset[str]) -> Iterator[Failure]:
    """Yield a failure for each request that no mock answers; several attempts at one request are one failure.

    A look-up of a flow that the case is not about has no answer, and that is no failure of the case.
    """
    unmocked = [each for each in result.unmocked if each.address.flow in tested]
    for request in {(each.address.flow, each.address.id, each.ask.path): each for each in unmocked}.values():
        node, flow, ask = request.address.node, request.address.flow, request.ask
        message = (
            f"`{node}` of `{flow}` would call {ask.method} {ask.path} of `{ask.target}`, but a test calls no targets"
        )
        help = f"add an answer, e.g. `mocks: {{{request.address.id}: {{status: 200, body: …}}}}` or `{{fail: timeout}}`"
        yield Failure(at, message, help=help, on_key=True)


def _failed(result: StepResult, expect: Expect, at: KeyPath, runner: StepRunner) -> Iterator[Failure]:
    """Yield a failure for each run of a tested flow that failed although the step does not expect it."""
    home = runner.home
    runs = expect.runs if isinstance(expect.runs, dict) else {}
    for run in result.runs:
        flow, node = run["flow"], run.get("failed_at", "")
        expected = [runs.get(flow), *([expect] if flow == home else [])]
        if run["outcome"] != "failed" or flow not in runner.tested:
            continue
        if any(_names_failure(each, node) for each in expected):
            continue
        key = "outcome: failed" if flow == home else f"runs: {{{flow}: failed}}"
        message = f"`{flow}` failed, and the case does not expect it"
        lines = tuple(reasons.of_run(run))
        yield Failure(at, message, lines, help=f"if the case expects this, write `expect: {{{key}}}`", on_key=True)


def _names_failure(expected: Run | str | None, node: str) -> bool:
    """Return whether an expectation of a flow's run names its failure, or the node at which it failed."""
    if not isinstance(expected, Run):
        return expected == "failed"
    return expected.outcome == "failed" or (isinstance(expected.ports, dict) and node in expected.ports)


def _unused(mock: UnusedMock) -> Failure:
    node = f"`{mock.address.node}` of `{mock.address.flow}`"
    if not mock.used:
        return Failure(mock.at, f"this mock is never used: {node} made no request", on_key=True)
    verb = "was" if mock.used == 1 else "were"
    message = f"only {mock.used} of these {mock.answers} answers {verb} used: {node} made no more requests"
    return Failure(mock.at, message, on_key=True)

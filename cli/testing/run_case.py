"""Runs a case of a test file step by step, up to the first step that fails."""

from collections.abc import Iterator

from msgspec import UNSET

from cli.testing import reasons
from cli.testing.expectations import CheckContext, Failure, failures
from cli.testing.mocks import UnusedMock
from cli.testing.step_runner import ImpossibleStep, StepResult, StepRunner
from engine.problem import KeyPath
from engine.tracking.intake.payload import Refusal
from flows.case import Case, Send, TestStep


async def run_case(runner: StepRunner, case: Case, at: KeyPath) -> list[Failure]:
    """Run the case at a place of its file; return the failures of its first step that fails, [] if it passes."""
    place = (*at, "given")
    try:
        await runner.start(case.given)
        runner.mocks.add(case.mocks, (*at, "mocks"))
        for step, step_at, key in _steps(case, at):
            place = (*step_at, key)
            runner.mocks.add(step.mocks, (*step_at, "mocks"))
            result = await runner.run(step)
            if result.refusal is not None and not step.expect.refused:
                return [_refused(result.refusal, place)]
            unexpected = failures(step.expect, (*step_at, "expect"), CheckContext(result, runner))
            if found := [*_unmocked(result, place), *unexpected]:
                return found
    except ImpossibleStep as impossible:
        return [Failure(place, str(impossible), on_key=True)]
    return [_unused(mock) for mock in runner.mocks.unused()]


def _steps(case: Case, at: KeyPath) -> Iterator[tuple[TestStep, KeyPath, str]]:
    """Yield each step with its place and the key of its action. A case with an `event` has this one step."""
    if isinstance(case.event, Send):
        yield TestStep(send=case.event, expect=case.expect), at, "event"
    for i, step in enumerate(case.steps):
        actions = (key for key in ("send", "advance", "unmerge") if getattr(step, key) is not UNSET)
        yield step, (*at, "steps", i), next(actions)


def _refused(refusal: Refusal, at: KeyPath) -> Failure:
    """The failure of a payload that was refused unexpectedly."""
    help = f"if the case expects this, write `expect: {{refused: {refusal.kind}}}`"
    return Failure(at, f"the payload is refused: {reasons.of_refusal(refusal)}", help=help, on_key=True)


def _unmocked(result: StepResult, at: KeyPath) -> Iterator[Failure]:
    """Yield a failure for each request that no mock answers; several attempts at one request are one failure."""
    for request in {(each.address, each.ask.path): each for each in result.unmocked}.values():
        node, flow, ask = request.address.node, request.address.flow, request.ask
        message = (
            f"`{node}` of `{flow}` would call {ask.method} {ask.path} of `{ask.target}`, but a test calls no targets"
        )
        help = f"add an answer, e.g. `mocks: {{{node}: {{status: 200, body: …}}}}` or `{{fail: timeout}}`"
        yield Failure(at, message, help=help, on_key=True)


def _unused(mock: UnusedMock) -> Failure:
    node = f"`{mock.address.node}` of `{mock.address.flow}`"
    if not mock.used:
        return Failure(mock.at, f"this mock is never used: {node} made no request", on_key=True)
    verb = "was" if mock.used == 1 else "were"
    message = f"only {mock.used} of these {mock.answers} answers {verb} used: {node} made no more requests"
    return Failure(mock.at, message, on_key=True)

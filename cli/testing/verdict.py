"""The verdict on a case of a test file: it is played step by step, up to the first that comes out otherwise."""

from collections.abc import Iterator

from msgspec import UNSET

from cli.testing import why
from cli.testing.expectations import Failure, Judge, failures
from cli.testing.mocks import Unused
from cli.testing.play import Happened, Impossible, Play
from engine.problem import KeyPath
from engine.tracking.intake.payload import Refusal
from flows.case import Case, Send, TestStep


async def verdict(play: Play, case: Case, at: KeyPath) -> list[Failure]:
    """What came out otherwise in a case at a place of its file; of the first step in which anything did."""
    place = (*at, "given")
    try:
        await play.begin(case.given)
        play.mocks.put(case.mocks, (*at, "mocks"))
        for step, around, key in _steps(case, at):
            place = (*around, key)
            play.mocks.put(step.mocks, (*around, "mocks"))
            happened = await play.do(step)
            if happened.refused is not None and not step.expect.refused:
                return [_refused(happened.refused, place)]
            judged = failures(step.expect, (*around, "expect"), Judge(happened, play))
            if error := [*_unmocked(happened, place), *judged]:
                return error
    except Impossible as impossible:
        return [Failure(place, str(impossible), on_key=True)]
    return [_unused(one) for one in play.mocks.unused()]


def _steps(case: Case, at: KeyPath) -> Iterator[tuple[TestStep, KeyPath, str]]:
    """The steps of a case, each with its place and the key that says what is done; an `event` alone is a step."""
    if isinstance(case.event, Send):
        yield TestStep(send=case.event, expect=case.expect), at, "event"
    for i, step in enumerate(case.steps):
        done = (key for key in ("send", "advance", "unmerge") if getattr(step, key) is not UNSET)
        yield step, (*at, "steps", i), next(done)


def _refused(refusal: Refusal, at: KeyPath) -> Failure:
    """A payload that was to be taken."""
    help = f"if that is what must come of it, say `expect: {{refused: {refusal.kind}}}`"
    return Failure(at, f"the payload is refused: {why.of_refusal(refusal)}", help=help, on_key=True)


def _unmocked(happened: Happened, at: KeyPath) -> Iterator[Failure]:
    """The requests that nobody answers, each once."""
    for request in {(one.of, one.ask.path): one for one in happened.unmocked}.values():
        node, ask = request.of.node, request.ask
        would = f"`{node}` of `{request.of.flow}` would call {ask.method} {ask.path} of `{ask.target}`"
        help = f"say what that is answered, e.g. `mocks: {{{node}: {{status: 200, body: …}}}}` or `{{fail: timeout}}`"
        yield Failure(at, f"{would}, and nothing goes outside in a test", help=help, on_key=True)


def _unused(unused: Unused) -> Failure:
    of = f"`{unused.of.node}` of `{unused.of.flow}`"
    told = f"this mock is never used: {of} asked nothing"
    if unused.wanted:
        told = f"only {unused.wanted} of these {unused.given} answers were used: {of} asked no more"
    return Failure(unused.at, told, on_key=True)

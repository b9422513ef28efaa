"""Checks the result of a step against `expect`: one function for each of its keys."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import UNSET, Struct, structs
from rich.text import Text

from cli.testing import reasons
from cli.testing.compare import Difference, differences, differences_at_paths
from cli.testing.delivery_view import delivery_view, shown_delay
from cli.testing.step_runner import StepResult, StepRunner
from cli.testing.wait_view import expected_wait, wait_view
from cli.traces import named_steps, short
from engine.language.absent import ABSENT
from engine.language.duration import read_duration
from engine.problem import KeyPath
from engine.profile.consent import consent_state
from engine.profile.document import Profile
from flows.case import DEFAULT_VISITOR, Delivery, Event, Expect, Run, Wait, present_keys


class Failure(Struct, frozen=True):
    """An expectation that did not hold, with its place in the file, the reasons, and perhaps how to fix the case.

    `message` says both what was expected and what happened. `on_key`: the place is the key, not its value.
    """

    at: KeyPath
    message: str
    reasons: tuple[Text, ...] = ()
    help: str = ""
    on_key: bool = False


class CheckContext(Struct, frozen=True):
    """The result of a step, and the runner of its case."""

    result: StepResult
    runner: StepRunner

    def run(self, flow: str) -> dict[str, Any] | None:
        """Return the trace of the flow's last run in the step, or of why it did not run; None if nothing is known."""
        runs = [run for run in self.result.runs if run["flow"] == flow]
        return max(runs, key=lambda run: (_rank(run), runs.index(run)), default=None)

    def reasons(self) -> tuple[Text, ...]:
        """Return what all flows did in the step."""
        return tuple(reasons.of_runs(self.result.runs))


def failures(expect: Expect, at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    """Yield the expectations that do not hold. `at` is the place of `expect` in the file."""
    for key in present_keys(expect):
        yield from CHECKS[key](getattr(expect, key), (*at, key), context)


# ---- runs of flows --------------------------------------------------------------------------------------------------


def _of_home_flow(value: Any, at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    return _run(Run(**{str(at[-1]): value}), at[:-1], context, context.runner.home or "")


def _runs(value: Mapping[str, Run | str], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    for flow, run in value.items():
        if isinstance(run, Run):
            yield from _run(run, (*at, flow), context, flow)
        else:
            yield from _outcome(run, (*at, flow), flow, context.run(flow))


def _run(expected: Run, at: KeyPath, context: CheckContext, flow: str) -> Iterator[Failure]:
    run = context.run(flow)
    if isinstance(expected.outcome, str):
        yield from _outcome(expected.outcome, (*at, "outcome"), flow, run)
    if isinstance(expected.ports, Mapping):
        for node, port in expected.ports.items():
            yield from _port(port, (*at, "ports", node), node, run)
    if isinstance(expected.path, tuple):
        nodes = [step["node"] for step in (run or {}).get("steps", ())]
        if not _is_path(expected.path, nodes):
            message = f"expected `{flow}` to run {_path_text(expected.path)}; it ran {_path_text(nodes)}"
            yield Failure((*at, "path"), message, tuple(reasons.of_run(run)))


def _outcome(expected: str, at: KeyPath, flow: str, run: dict[str, Any] | None) -> Iterator[Failure]:
    outcome = "not-triggered" if run is None else run["outcome"]
    if outcome != expected:
        message = f"expected `{flow}` to be {expected}; it was {outcome}"
        yield Failure(at, message, tuple(reasons.of_run(run)))


def _port(expected: str, at: KeyPath, node: str, run: dict[str, Any] | None) -> Iterator[Failure]:
    step = named_steps(run or {}).get(node)
    if step is None or step["port"] != expected:
        actual = "it did not run" if step is None else f"it left by `{step['port']}`"
        yield Failure(at, f"expected `{node}` to leave by `{expected}`; {actual}", tuple(reasons.of_run(run, node)))


def _is_path(expected: tuple[str | tuple[str, ...], ...], nodes: list[str]) -> bool:
    rest = nodes
    for item in expected:
        branches = (item,) if isinstance(item, str) else item
        if sorted(rest[: len(branches)]) != sorted(branches):
            return False
        rest = rest[len(branches) :]
    return not rest


def _path_text(path: Iterable[str | tuple[str, ...]]) -> str:
    return " › ".join(item if isinstance(item, str) else f"[{', '.join(item)}]" for item in path) or "no node"


def _rank(run: dict[str, Any]) -> int:
    """Return how much a trace says about a flow: most if it ran, least if no event triggered it."""
    if "steps" in run:
        return 3
    reason = run.get("reason")
    if run["outcome"] == "filtered" or not isinstance(reason, Mapping):
        return 2
    return int("event.type" not in reason["values"])


# ---- the answer, events and requests --------------------------------------------------------------------------------


def _refused(value: str | None, at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    refusal = context.result.refusal
    if value is not None and (refusal is None or refusal.kind != value):
        actual = "accepted" if refusal is None else f"refused as {refusal.kind}: {reasons.of_refusal(refusal)}"
        lines = context.reasons() if refusal is None else ()
        yield Failure(at, f"expected the payload to be refused as {value}; it was {actual}", lines)


def _response(value: Any, at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    withheld = (Text(context.result.withheld),) if context.result.withheld else ()
    causes = (*withheld, *context.reasons())
    return _unequal(differences(value, context.result.response), at, "the response", causes)


def _event(value: Mapping[str, Any], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    event = context.result.event or {}
    return _unequal(differences_at_paths(value, event), at, "the event", context.reasons())


def _emitted(value: tuple[str | Event, ...], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    expected = [each if isinstance(each, str) else each.type for each in value]
    tested, emitters = context.runner.tested, context.runner.store.emitters
    events = [
        event
        for event in context.result.events
        if event.origin == "flow" and (event.type in expected or emitters.get(event.id) in {None, *tested})
    ]
    types = [event.type for event in events]
    if expected != types:
        message = f"expected {_names(expected, 'event')} to be emitted; {_were(types, 'event', 'emitted')}"
        yield Failure(at, message, context.reasons())
        return
    for i, (each, event) in enumerate(zip(value, events, strict=True)):
        if isinstance(each, Event):
            unequal = differences(each.properties, event.properties, ("properties",))
            yield from _unequal(unequal, (*at, i), f"`{event.type}`", context.reasons())


def _calls(value: Mapping[str, int | tuple[Struct, ...]], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    for text, expected in value.items():
        address = context.runner.mocks.addresses.outside(text)
        asks = [request.ask for request in context.result.requests if address.includes(request.address)]
        number = expected if isinstance(expected, int) else len(expected)
        if number != len(asks):
            message = f"expected `{text}` to make {_counted(number, 'request')}; it made {len(asks)}"
            yield Failure((*at, text), message, tuple(reasons.of_run(context.run(address.flow), address.node)))
        elif not isinstance(expected, int):
            for i, (each, ask) in enumerate(zip(expected, asks, strict=True)):
                parts = {name: part for name, part in structs.asdict(each).items() if part is not UNSET}
                unequal = differences(parts, structs.asdict(ask))
                yield from _unequal(unequal, (*at, text, i), f"`{text}`", context.reasons())


def _deliveries(value: tuple[Delivery, ...], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    expected = [each.target for each in value]
    tested = context.runner.tested
    made = [each for each in context.result.deliveries if each.target in expected or each.flow in tested]
    targets = [each.target for each in made]
    if expected != targets:
        message = f"expected {_messages(expected)}; flows delivered {_messages(targets)}"
        yield Failure(at, message, context.reasons())
        return
    for i, (each, delivery) in enumerate(zip(value, made, strict=True)):
        parts = {name: getattr(each, name) for name in present_keys(each)}
        if isinstance(each.after, str):
            parts["after"] = shown_delay(read_duration(each.after) or 0)
        unequal = differences(parts, delivery_view(delivery))
        yield from _unequal(unequal, (*at, i), f"the message to `{each.target}`", context.reasons())


def _waits(value: tuple[Wait, ...], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    expected, tested = [each.flow for each in value], context.runner.tested
    open_waits = [stub for stub in context.result.waits if stub.flow in expected or stub.flow in tested]
    flows = [stub.flow for stub in open_waits]
    if expected != flows:
        yield Failure(at, f"expected that {_waiting(expected)}; now {_waiting(flows)}", context.reasons())
        return
    now, zone = context.runner.clock.now(), context.runner.project.settings.timezone
    for i, (each, stub) in enumerate(zip(value, open_waits, strict=True)):
        unequal = differences(expected_wait(each, zone), wait_view(stub, each, now))
        yield from _unequal(unequal, (*at, i), f"the wait of `{each.flow}`", context.reasons())


# ---- profiles -------------------------------------------------------------------------------------------------------


def _profile(value: Mapping[str, Any] | None, at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    profile = context.result.profile
    if value is not None:
        yield from _profile_at(value, at, context, profile, None)
    elif profile is not None:
        yield Failure(at, "expected no profile; there is one", context.reasons())


def _profiles(value: Mapping[str, Mapping[str, Any]], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    for visitor, expected in value.items():
        yield from _profile_at(expected, (*at, visitor), context, context.result.profiles[visitor], visitor)


def _profile_at(
    expected: Mapping[str, Any], at: KeyPath, context: CheckContext, profile: Profile | None, visitor: str | None
) -> Iterator[Failure]:
    if profile is None:
        message = "there is no profile" if visitor is None else f"{visitor} has no profile"
        yield Failure(at, message, context.reasons())
        return
    view = _with_consent_words(context.runner.store.view(profile), expected, context.runner.clock.now())
    yield from _unequal(differences_at_paths(expected, view), at, visitor or "the profile", context.reasons())


def _with_consent_words(view: dict[str, Any], expected: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Return the view with the state of each consent that is expected as a word, such as `given`."""
    consents: dict[str, Any] = {}
    for text, value in expected.items():
        root, _, name = text.partition(".")
        if root == "consents":
            consents |= {name: value} if name else value if isinstance(value, Mapping) else {}
    words = {
        name: consent_state(view["consents"], name, now) for name, word in consents.items() if isinstance(word, str)
    }
    return {**view, "consents": {**view["consents"], **words}}


def _same(value: tuple[str, ...], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    first, *others = value
    for other in others:
        if _id(context, other) is None or _id(context, first) != _id(context, other):
            message = f"expected {first} and {other} to be one profile; they are not"
            yield Failure((*at, value.index(other)), message, context.reasons())


def _apart(value: tuple[str, ...], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    for i, one in enumerate(value):
        for other in value[:i]:
            if _id(context, one) is not None and _id(context, one) == _id(context, other):
                message = f"expected {other} and {one} to be two profiles; they are one"
                yield Failure((*at, i), message, context.reasons())


def _id(context: CheckContext, visitor: str) -> str | None:
    profile = context.result.profiles[visitor]
    return profile.id if profile is not None else None


# ---- segments -------------------------------------------------------------------------------------------------------


def _entered(value: Any, at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    return _segment_changes(value, at, context, entered=True)


def _left(value: Any, at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    return _segment_changes(value, at, context, entered=False)


def _segment_changes(value: Any, at: KeyPath, context: CheckContext, *, entered: bool) -> Iterator[Failure]:
    if not isinstance(value, Mapping):
        yield from _changed(value, at, context, context.result.profile, context.result.sender or "", entered=entered)
        return
    for visitor, names in value.items():
        profile = context.result.profiles.get(visitor)
        yield from _changed(names, (*at, visitor), context, profile, visitor, entered=entered)


def _changed(
    names: Any, at: KeyPath, context: CheckContext, profile: Profile | None, visitor: str, *, entered: bool
) -> Iterator[Failure]:
    ids = frozenset(profile.ids if profile is not None else ())
    changes = [change for change in context.result.segment_changes if change.entered is entered and ids & change.ids]
    actual = sorted({change.segment for change in changes})
    expected = sorted([names] if isinstance(names, str) else names)
    if actual != expected:
        verb, participle = ("enter", "entered") if entered else ("leave", "left")
        wanted = f"expected {_visitor(visitor)} to {verb} {_names(expected, 'segment')}"
        segments = sorted({*expected} ^ {*actual})
        lines = [line for name in segments for line in _segment_reasons(context, profile, name)]
        yield Failure(at, f"{wanted}; {_were(actual, 'segment', participle)}", tuple(lines))


def _segment_reasons(context: CheckContext, profile: Profile | None, name: str) -> Iterator[Text]:
    if profile is None:
        return
    for line in reasons.of_segment(context.runner.project, profile, name, context.runner.clock.now()):
        yield Text.assemble((f"{name}  ", "cyan"), line)


# ---- messages -------------------------------------------------------------------------------------------------------


def _unequal(unequal: Iterable[Difference], at: KeyPath, subject: str, reasons: tuple[Text, ...]) -> Iterator[Failure]:
    for each in unequal:
        path = ".".join(map(str, each.at))
        place = f"`{path}` of {subject}" if path else subject
        expected = "not to be there" if each.expected is None else f"to be {_value(each.expected)}"
        yield Failure((*at, *each.at), f"expected {place} {expected}; it is {_value(each.actual)}", reasons)


def _visitor(name: str) -> str:
    return "the visitor" if name == DEFAULT_VISITOR else name


def _value(value: Any) -> str:
    return "absent" if value is ABSENT else short(json.dumps(value, ensure_ascii=False))


def _names(names: list[str], noun: str) -> str:
    return ", ".join(f"`{name}`" for name in names) or f"no {noun}"


def _messages(targets: list[str]) -> str:
    return f"messages to {_names(targets, 'target')}" if targets else "no messages"


def _waiting(flows: list[str]) -> str:
    if not flows:
        return "no run waits"
    return f"{_names(flows, 'flow')} {'wait' if len(flows) > 1 else 'waits'}"


def _were(names: list[str], noun: str, participle: str) -> str:
    return f"{_names(names, noun)} {'were' if len(names) > 1 else 'was'} {participle}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


Check = Callable[[Any, KeyPath, CheckContext], Iterator[Failure]]


def _state(value: Mapping[str, Any], at: KeyPath, context: CheckContext) -> Iterator[Failure]:
    state = context.result.state or {}
    found = [each for key, one in value.items() for each in differences(one, state.get(key, ABSENT), (key,))]
    return _unequal(found, at, "the state", context.reasons())


CHECKS: Final[Mapping[str, Check]] = {
    "outcome": _of_home_flow,
    "path": _of_home_flow,
    "ports": _of_home_flow,
    "runs": _runs,
    "refused": _refused,
    "response": _response,
    "event": _event,
    "emitted": _emitted,
    "calls": _calls,
    "deliveries": _deliveries,
    "waits": _waits,
    "profile": _profile,
    "profiles": _profiles,
    "state": _state,
    "same": _same,
    "apart": _apart,
    "entered": _entered,
    "left": _left,
}

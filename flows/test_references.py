"""Checks test files without running them: every name must exist, and every step must do exactly one thing.

Codes: H421 an unknown name, H422 a mock for a node that makes no requests, H423 a case or step that does not do exactly
one thing, H424 something that is not clear, H425 a case that expects nothing.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import UNSET

from engine.language.absent import Unfit
from engine.language.duration import read_duration
from engine.language.moment import date
from engine.problem import KeyPath, Problem
from engine.project.project import Project
from engine.tracking.intake.consent import fault_of
from flows.case import ACTIONS, DEFAULT_VISITOR, Case, CaseFile, Given, GivenProfile, Mock, Send, TestStep, present_keys
from flows.expect_references import expect_problems
from flows.known_names import KnownNames, path_key
from flows.visitor_ids import placeholder_ids

_VISITOR_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")


def reference_problems(
    file: CaseFile, project: Project, project_names: Mapping[str, frozenset[str]]
) -> Iterator[Problem]:
    """The problems of a test file. `project_names` are as in `KnownNames`."""
    names = KnownNames(file, project, project_names)
    yield from names.known("flow", file.flow, ("flow",))
    if isinstance(file.flows, tuple) and file.flow is UNSET:
        help = "add `flow: NAME`, the flow that this file tests"
        yield Problem(
            code="H424", message="`flows` lists flows beside the file's own", path=("flows",), on="key", help=help
        )
    for i, name in enumerate(file.flows if isinstance(file.flows, tuple) else ()):
        yield from names.known("flow", name, ("flows", i))
    yield from names.known("source", file.source, ("source",))
    try:
        date(file.clock)
    except Unfit:
        help = "write it as 2026-01-01T12:00:00Z"
        yield Problem(code="H404", message=f"`{file.clock}` is not a time", path=("clock",), help=help)
    case_names: set[str] = set()
    for i, case in enumerate(file.cases):
        at: KeyPath = ("cases", i)
        if case.name in case_names:
            help = "give one of them another name"
            yield Problem(code="H405", message=f"two cases are `{case.name}`", path=(*at, "name"), help=help)
        case_names.add(case.name)
        yield from _case(case, at, names)


def given_profiles(given: Given) -> Iterator[tuple[str, GivenProfile, KeyPath]]:
    """The profiles that exist at the start of a case: visitor, profile and key path within `given`."""
    if isinstance(given.profile, GivenProfile):
        yield DEFAULT_VISITOR, given.profile, ("profile",)
    for visitor, profile in given.profiles.items():
        yield visitor, profile, ("profiles", visitor)


def _case(case: Case, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    names.visitors = []
    for visitor, profile, path in given_profiles(case.given):
        yield from _add_visitor(visitor, (*at, "given", *path), names)
        yield from _profile(profile, (*at, "given", *path), names)
    yield from _mocks(case.mocks, (*at, "mocks"), names)
    given = [case.event is not UNSET, case.webhook is not UNSET, case.fire is not UNSET, bool(case.steps)]
    if sum(given) != 1:
        help = "write one `event`, or `webhook: FILE`, or `fire: FLOW`, or `steps` of which each has its own `expect`"
        message = "a case has either an `event`, or a `webhook`, or `fire`, or `steps`"
        yield Problem(code="H423", message=message, path=at, on="key", help=help)
        return
    yield from _scheduled(case, at, names)
    if isinstance(case.event, Send):
        yield from _send(case.event, (*at, "event"), names)
        yield from expect_problems(case.expect, (*at, "expect"), names, case.event.visitor)
    elif isinstance(case.fire, str):
        yield from _fire(case.fire, (*at, "fire"), names)
        yield from expect_problems(case.expect, (*at, "expect"), names, None)
    elif isinstance(case.webhook, str):
        yield from expect_problems(case.expect, (*at, "expect"), names, None)
    elif present_keys(case.expect):
        help = "move it into the step that it is about"
        message = "in a case with `steps`, each step has its own `expect`"
        yield Problem(code="H423", message=message, path=(*at, "expect"), on="key", help=help)
    for i, step in enumerate(case.steps):
        yield from _step(step, (*at, "steps", i), names)
    if not any(present_keys(expect) for expect in (case.expect, *(step.expect for step in case.steps))):
        help = "write under `expect:` what must be true afterwards"
        yield Problem(code="H425", message="this case expects nothing", path=(*at, "name"), help=help)


def _step(step: TestStep, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    actions = [key for key in ACTIONS if getattr(step, key) is not UNSET]
    if len(actions) != 1:
        message = f"a step does one thing, this one {' and '.join(f'`{key}`' for key in actions) or 'does none'}"
        help = "write one of `send`, `webhook`, `advance`, `unmerge` and `fire`"
        yield Problem(code="H423", message=message, path=at, on="key", help=help)
    yield from _mocks(step.mocks, (*at, "mocks"), names)
    sender = step.send.visitor if isinstance(step.send, Send) else None
    if isinstance(step.send, Send):
        yield from _send(step.send, (*at, "send"), names)
    if isinstance(step.advance, str) and not read_duration(step.advance):
        help = "write a whole number and a unit, e.g. 31d or 90m"
        yield Problem(code="H119", message=f"`{step.advance}` is not a duration", path=(*at, "advance"), help=help)
    if isinstance(step.unmerge, tuple):
        if len(step.unmerge) != 2 or len(set(step.unmerge)) != 2:
            help = "name the two that were merged, e.g. [phone, desk]"
            message = "`unmerge` separates two visitors"
            yield Problem(code="H404", message=message, path=(*at, "unmerge"), on="key", help=help)
        yield from names.earlier_visitors(step.unmerge, (*at, "unmerge"))
    if isinstance(step.fire, str):
        yield from _fire(step.fire, (*at, "fire"), names)
    yield from expect_problems(step.expect, (*at, "expect"), names, sender)


def _fire(flow: str, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    """A problem if there is no flow of this name, or it has no schedule."""
    yield from names.known("flow", flow, at)
    if flow in names.flows and names.flows[flow].trigger.schedule is None:
        help = "write `send: {type: …}`"
        yield Problem(code="H421", message=f"`{flow}` has no schedule: an event starts it", path=at, help=help)


def _scheduled(case: Case, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    """A problem for each state in a file whose flow has none."""
    home = names.flows.get(names.home or "")
    if home is not None and home.trigger.schedule is not None and not home.trigger.schedule.segment:
        return
    if home is None and names.home is not None:  # it is reported, or cannot be read
        return
    places: list[KeyPath] = [("given", "state")] if case.given.state else []
    places += [("expect", "state")] if case.expect.state is not UNSET else []
    places += [("steps", i, "expect", "state") for i, s in enumerate(case.steps) if s.expect.state is not UNSET]
    for place in places:
        help = "write `flow: NAME` at the top of the file, of a flow with a schedule"
        message = "the flow of this file has no schedule, so no state"
        yield Problem(code="H424", message=message, path=(*at, *place), on="key", help=help)


def _profile(profile: GivenProfile, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    for root in ("traits", "pii"):
        for text in getattr(profile, root):
            yield from path_key(text, (*at, root, text))
    if profile.consents and (fault := fault_of({"consents": profile.consents})):
        yield Problem(code="H404", message=fault[1], path=(*at, *fault[0].split("/")[1:]))
    for i, name in enumerate(profile.segments):
        path = (*at, "segments", i)
        yield from names.known("segment", name, path)
        segment = names.project.segments.get(name)
        if segment is not None and not segment.manual:
            help = "write traits that make its condition hold: its members are computed"
            yield Problem(code="H309", message=f"segment `{name}` has a condition", path=path, help=help)


def _send(send: Send, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    has_events = send.events is not UNSET
    extra = [key for key in ("type", "id", "time", "properties") if getattr(send, key) not in (UNSET, {})]
    if has_events and extra:
        message, help = f"`{extra[0]}` belongs to an event, and there are `events`", "move it into one of them"
        yield Problem(code="H423", message=message, path=(*at, extra[0]), on="key", help=help)
    elif not has_events and send.type is UNSET:
        help = "add `type:`, e.g. order-completed; or `events:`, a list"
        yield Problem(code="H403", message="the type of the event is missing", path=at, on="key", help=help)
    for name, path in _placeholders(send, at):
        yield from names.earlier_visitor(name, path, "value")
    yield from _add_visitor(send.visitor, (*at, "visitor"), names)
    yield from names.known("source", send.source, (*at, "source"))
    if send.source is UNSET and not names.has_source and len(names.sources()) != 1:
        sources = ", ".join(f"`{name}`" for name in names.sources()) or "none"
        help = f"add `source:` here or at the top of the file; there are {sources}"
        yield Problem(code="H424", message="it is not clear by which source this is sent", path=at, on="key", help=help)


def _placeholders(send: Send, at: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    """The placeholders for visitors' ids in a payload: visitor and key path."""
    yield from placeholder_ids(send.properties, (*at, "properties"))
    yield from placeholder_ids(send.context, (*at, "context"))
    for i, event in enumerate(send.events if isinstance(send.events, tuple) else ()):
        for key in ("properties", "context"):
            yield from placeholder_ids(getattr(event, key), (*at, "events", i, key))


def _add_visitor(name: str, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    """Check the name of a visitor, and add it to those of the case."""
    if not _VISITOR_NAME.fullmatch(name):
        help = "small letters, digits, - and _"
        yield Problem(code="H404", message=f"`{name}` is not a visitor's name", path=at, help=help)
    if name not in names.visitors:
        names.visitors.append(name)


def _mocks(mocks: Mapping[str, Mock | tuple[Mock, ...]], at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    for text, answers in mocks.items():
        yield from names.outside(text, (*at, text))
        if answers == ():
            help = "write at least one, e.g. {status: 404}"
            yield Problem(code="H404", message=f"`{text}` has no answers", path=(*at, text), on="key", help=help)

"""Mentions: what a test file names must be there, and every step must do one thing. Known without playing a case.

Codes: H421 a name that nobody has, H422 a mock for a node that asks nothing outside, H423 a case or step that does not
do exactly one thing, H424 something that is meant and not said, H425 a case that expects nothing.
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
from flows.case import DEFAULT_VISITOR, Case, CaseFile, Given, GivenProfile, Mock, Send, TestStep, present_keys
from flows.expect_references import expect_problems
from flows.known_names import KnownNames, dotted
from flows.visitor_ids import placeholder_ids

_VISITOR = re.compile(r"[a-z][a-z0-9_-]{0,49}")


def reference_problems(file: CaseFile, project: Project, named: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    """What is wrong with the names in a test file. `named` has those of things that are there and cannot be read."""
    roster = KnownNames(file, project, named)
    yield from roster.known("flow", file.flow, ("flow",))
    yield from roster.known("source", file.source, ("source",))
    try:
        date(file.clock)
    except Unfit:
        help = "write it as 2026-01-01T12:00:00Z"
        yield Problem(code="H404", message=f"`{file.clock}` is no time", path=("clock",), help=help)
    names: set[str] = set()
    for i, case in enumerate(file.cases):
        at: KeyPath = ("cases", i)
        if case.name in names:
            help = "give one of them another name"
            yield Problem(code="H405", message=f"two cases are `{case.name}`", path=(*at, "name"), help=help)
        names.add(case.name)
        yield from _case(case, at, roster)


def given_profiles(given: Given) -> Iterator[tuple[str, GivenProfile, KeyPath]]:
    """Who is known when a case begins, with the place where that stands in `given`."""
    if isinstance(given.profile, GivenProfile):
        yield DEFAULT_VISITOR, given.profile, ("profile",)
    for visitor, profile in given.profiles.items():
        yield visitor, profile, ("profiles", visitor)


def _case(case: Case, at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    roster.visitors = []
    for visitor, profile, place in given_profiles(case.given):
        yield from _came(visitor, (*at, "given", *place), roster)
        yield from _profile(profile, (*at, "given", *place), roster)
    yield from _mocks(case.mocks, (*at, "mocks"), roster)
    if (case.event is UNSET) is not bool(case.steps):
        help = "give one `event`, or `steps` of which each has its own `expect`"
        yield Problem(code="H423", message="a case has either an `event` or `steps`", path=at, on="key", help=help)
        return
    if isinstance(case.event, Send):
        yield from _send(case.event, (*at, "event"), roster)
        yield from expect_problems(case.expect, (*at, "expect"), roster, case.event.visitor)
    elif present_keys(case.expect):
        help = "move it into the step that it is about"
        message = "where there are `steps`, each has its own `expect`"
        yield Problem(code="H423", message=message, path=(*at, "expect"), on="key", help=help)
    for i, step in enumerate(case.steps):
        yield from _step(step, (*at, "steps", i), roster)
    if not any(present_keys(one) for one in (case.expect, *(step.expect for step in case.steps))):
        help = "say under `expect:` what must have come of it"
        yield Problem(code="H425", message="this case expects nothing", path=(*at, "name"), help=help)


def _step(step: TestStep, at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    done = [key for key in ("send", "advance", "unmerge") if getattr(step, key) is not UNSET]
    if len(done) != 1:
        message = f"a step does one thing, this one {' and '.join(f'`{key}`' for key in done) or 'does none'}"
        help = "give one of `send`, `advance` and `unmerge`"
        yield Problem(code="H423", message=message, path=at, on="key", help=help)
    yield from _mocks(step.mocks, (*at, "mocks"), roster)
    sender = step.send.visitor if isinstance(step.send, Send) else None
    if isinstance(step.send, Send):
        yield from _send(step.send, (*at, "send"), roster)
    if isinstance(step.advance, str) and not read_duration(step.advance):
        help = "write a whole number and a unit, e.g. 31d or 90m"
        yield Problem(code="H119", message=f"`{step.advance}` is not a duration", path=(*at, "advance"), help=help)
    if isinstance(step.unmerge, tuple):
        if len(step.unmerge) != 2 or len(set(step.unmerge)) != 2:
            help = "name the two who were joined, e.g. [phone, desk]"
            message = "`unmerge` sets two visitors apart"
            yield Problem(code="H404", message=message, path=(*at, "unmerge"), on="key", help=help)
        yield from roster.came(step.unmerge, (*at, "unmerge"))
    yield from expect_problems(step.expect, (*at, "expect"), roster, sender)


def _profile(profile: GivenProfile, at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    for root in ("traits", "pii"):
        for text in getattr(profile, root):
            yield from dotted(text, (*at, root, text))
    if profile.consents and (fault := fault_of({"consents": profile.consents})):
        yield Problem(code="H404", message=fault[1], path=(*at, *fault[0].split("/")[1:]))
    for i, name in enumerate(profile.segments):
        place = (*at, "segments", i)
        yield from roster.known("segment", name, place)
        segment = roster.project.segments.get(name)
        if segment is not None and not segment.manual:
            help = "give what makes its condition hold: who belongs to it is worked out"
            yield Problem(code="H309", message=f"segment `{name}` has a condition", path=place, help=help)


def _send(send: Send, at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    several = send.events is not UNSET
    beside = [key for key in ("type", "id", "time", "properties") if getattr(send, key) not in (UNSET, {})]
    if several and beside:
        message, help = f"`{beside[0]}` is that of an event, and there are `events`", "move it into one of them"
        yield Problem(code="H423", message=message, path=(*at, beside[0]), on="key", help=help)
    elif not several and send.type is UNSET:
        help = "add `type:`, e.g. order-completed; or `events:`, a list"
        yield Problem(code="H403", message="nothing says what is sent", path=at, on="key", help=help)
    for name, place in _wanted(send, at):
        yield from roster.visitor(name, place, "value")
    yield from _came(send.visitor, (*at, "visitor"), roster)
    yield from roster.known("source", send.source, (*at, "source"))
    if send.source is UNSET and not roster.says_source and len(roster.sources()) != 1:
        some = ", ".join(f"`{name}`" for name in roster.sources()) or "none"
        help = f"add `source:` here or at the top of the file; there are {some}"
        yield Problem(code="H424", message="nothing says by which source this is sent", path=at, on="key", help=help)


def _wanted(send: Send, at: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    """The visitors whose ids a payload has in it."""
    yield from placeholder_ids(send.properties, (*at, "properties"))
    yield from placeholder_ids(send.context, (*at, "context"))
    for i, event in enumerate(send.events if isinstance(send.events, tuple) else ()):
        for key in ("properties", "context"):
            yield from placeholder_ids(getattr(event, key), (*at, "events", i, key))


def _came(name: str, at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    """Somebody comes."""
    if not _VISITOR.fullmatch(name):
        help = "small letters, digits, - and _"
        yield Problem(code="H404", message=f"`{name}` is not a visitor's name", path=at, help=help)
    if name not in roster.visitors:
        roster.visitors.append(name)


def _mocks(mocks: Mapping[str, Mock | tuple[Mock, ...]], at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    for text, answers in mocks.items():
        yield from roster.outside(text, (*at, text))
        if answers == ():
            help = "give at least one, e.g. {status: 404}"
            yield Problem(code="H404", message=f"`{text}` has no answers", path=(*at, text), on="key", help=help)

"""Checks the names in an `expect` of a test file, with one function for each key that has names.

Codes: H421 an unknown name, H424 an unclear flow or visitor, H426 an expected refusal in a step that sends nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from engine.flow.reading import HOMES, field_names
from engine.language.absent import Unfit
from engine.language.duration import read_duration
from engine.language.moment import date
from engine.problem import KeyPath, Problem
from engine.project.source import is_mail
from flows.case import OF_HTTP, OF_MAIL, Delivery, Expect, Run, Wait, present_keys
from flows.known_names import KnownNames, field
from flows.secret import is_made_up

EVENT_FIELDS: Final = ("id", "type", "origin", "properties", "context", "disposition")

Check = Callable[[Any, KeyPath, KnownNames], Iterator[Problem]]


def expect_problems(expect: Expect, at: KeyPath, names: KnownNames, sender: str | None) -> Iterator[Problem]:
    """The problems of an `expect` at `at`. `sender` is the visitor who sends in its step, None when nothing is sent."""
    for key in present_keys(expect):
        value, path = getattr(expect, key), (*at, key)
        if key in _CHECKS:
            yield from _CHECKS[key](value, path, names)
        if key == "refused" and sender is None:
            help = "move it into the step with the `send` that is refused"
            yield Problem(code="H426", message="nothing is sent here", path=path, on="key", help=help)
        needs_visitor = key in _OF_ONE_VISITOR and not isinstance(value, _OF_ONE_VISITOR[key])
        if needs_visitor and sender is None and len(names.visitors) != 1:
            form = "profiles: {NAME: …}" if key == "profile" else f"{key}: {{NAME: …}}"
            message = f"it is not clear which visitor `{key}` is about"
            yield Problem(code="H424", message=message, path=path, on="key", help=f"write `{form}`")


def _of_file_flow(value: Any, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    """Check `outcome`, `path` or `ports`, which are about the file's flow."""
    key = str(at[-1])
    if names.home is None:
        help = f"add `flow: NAME` at the top of the file, or write `runs: {{NAME: {{{key}: …}}}}`"
        message = f"it is not clear which flow `{key}` is about"
        yield Problem(code="H424", message=message, path=at, on="key", help=help)
    else:
        yield from _run(Run(**{key: value}), at[:-1], names, names.home)


def _runs(value: Mapping[str, Run | str], at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    for name, run in value.items():
        yield from names.known("flow", name, (*at, name), "key")
        if isinstance(run, Run):
            yield from _run(run, (*at, name), names, name)


def _run(run: Run, at: KeyPath, names: KnownNames, name: str) -> Iterator[Problem]:
    flow = names.flows.get(name)
    if flow is None:
        return
    for i, item in enumerate(run.path if isinstance(run.path, tuple) else ()):
        if isinstance(item, str):
            yield from names.node(flow, item, (*at, "path", i))
        else:
            for j, id in enumerate(item):
                yield from names.node(flow, id, (*at, "path", i, j))
    for id, port in run.ports.items() if isinstance(run.ports, dict) else ():
        yield from names.port(flow, id, port, (*at, "ports", id))


def _event(value: Mapping[str, Any], at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    for text in value:
        yield from field(text, (*at, text), "event", EVENT_FIELDS, "properties")


def _calls(value: Mapping[str, Any], at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    for text in value:
        yield from names.outside(text, (*at, text))


def _deliveries(value: tuple[Delivery, ...], at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    for i, delivery in enumerate(value):
        yield from names.known("target", delivery.target, (*at, i, "target"))
        yield from names.known("flow", delivery.flow, (*at, i, "flow"))
        target = names.project.targets.get(delivery.target)
        if target is not None and not is_made_up(target.url):
            foreign, what = (OF_HTTP, "a mail server") if is_mail(target) else (OF_MAIL, "no mail server")
            for key in sorted(set(present_keys(delivery)) & set(foreign)):
                message = f"`{delivery.target}` is {what}, so its messages have no `{key}`"
                yield Problem(code="H421", message=message, path=(*at, i, key), on="key", help="delete the line")
        if isinstance(delivery.after, str) and read_duration(delivery.after) is None:
            help = "write a whole number and a unit, e.g. 10m; `0s` for at once"
            message = f"`{delivery.after}` is not a duration"
            yield Problem(code="H119", message=message, path=(*at, i, "after"), help=help)


def _waits(value: tuple[Wait, ...], at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    for i, wait in enumerate(value):
        yield from names.known("flow", wait.flow, (*at, i, "flow"))
        flow = names.flows.get(wait.flow)
        if flow is not None and flow.while_waiting is None:
            message = f"no node of `{wait.flow}` waits"
            help = "name a flow with a node `wait`, `wait.until` or `wait.for`"
            yield Problem(code="H421", message=message, path=(*at, i, "flow"), help=help)
        if isinstance(wait.until, str) and read_duration(wait.until) is None and not _is_moment(wait.until):
            message = f"`{wait.until}` is neither a duration nor a time"
            help = "write how long it still waits, e.g. 2h, or a time, e.g. 2026-01-01T14:00:00Z"
            yield Problem(code="H119", message=message, path=(*at, i, "until"), help=help)


def _is_moment(text: str) -> bool:
    try:
        date(text)
    except Unfit:
        return False
    return True


def _profile(value: Mapping[str, Any] | None, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    for text, expected in (value or {}).items():
        yield from field(text, (*at, text), "profile", field_names("profile"), HOMES["profile"])
        if text == "segments" and isinstance(expected, list):
            yield from names.segments([name for name in expected if isinstance(name, str)], (*at, text))


def _profiles(value: Mapping[str, Mapping[str, Any]], at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    for visitor, expected in value.items():
        yield from names.earlier_visitor(visitor, (*at, visitor), "key")
        yield from _profile(expected, (*at, visitor), names)


def _visitors(value: tuple[str, ...], at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    yield from names.earlier_visitors(value, at)
    if len(set(value)) < 2:
        yield Problem(code="H404", message=f"`{at[-1]}` compares at least two visitors", path=at, on="key")


def _segment_changes(value: Any, at: KeyPath, names: KnownNames) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield from names.segments(value, at)
        return
    for visitor, segments in value.items():
        yield from names.earlier_visitor(visitor, (*at, visitor), "key")
        yield from names.segments(segments, (*at, visitor))


_CHECKS: Final[Mapping[str, Check]] = {
    "outcome": _of_file_flow,
    "path": _of_file_flow,
    "ports": _of_file_flow,
    "runs": _runs,
    "event": _event,
    "calls": _calls,
    "deliveries": _deliveries,
    "waits": _waits,
    "profile": _profile,
    "profiles": _profiles,
    "same": _visitors,
    "apart": _visitors,
    "entered": _segment_changes,
    "left": _segment_changes,
}
# Keys about one visitor, with the types of values that name the visitor themselves.
_OF_ONE_VISITOR: Final[Mapping[str, tuple[type, ...]]] = {"profile": (), "entered": (Mapping,), "left": (Mapping,)}

"""What an `expect` of a test file names, and whose it is. One function for each key that names something.

Code: H426 a refusal is expected where nothing is sent.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from engine.flow.reading import FIELDS, HOMES
from engine.problem import KeyPath, Problem
from flows.case import Expect, Run, present_keys
from flows.known_names import KnownNames, field

EVENT: Final = ("id", "type", "origin", "properties", "context", "disposition")

Look = Callable[[Any, KeyPath, KnownNames], Iterator[Problem]]


def expect_problems(expect: Expect, at: KeyPath, roster: KnownNames, sender: str | None) -> Iterator[Problem]:
    """What is wrong with an `expect`, of a step in which `sender` sends something, if anybody does."""
    for key in present_keys(expect):
        value, place = getattr(expect, key), (*at, key)
        if key in _LOOKS:
            yield from _LOOKS[key](value, place, roster)
        if key == "refused" and sender is None:
            help = "move it into the step with the `send` that is refused"
            yield Problem(code="H426", message="nothing is sent here", path=place, on="key", help=help)
        if key in _WHOSE and not isinstance(value, _WHOSE[key]) and sender is None and len(roster.visitors) != 1:
            form = "profiles: {NAME: …}" if key == "profile" else f"{key}: {{NAME: …}}"
            message = f"nothing says whose `{key}` is meant"
            yield Problem(code="H424", message=message, path=place, on="key", help=f"write `{form}`")


def _of_home(value: Any, at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    """`outcome`, `path` or `ports`, which are those of the file's flow."""
    key = str(at[-1])
    if roster.home is None:
        help = f"add `flow: NAME` at the top of the file, or write `runs: {{NAME: {{{key}: …}}}}`"
        yield Problem(code="H424", message=f"nothing says of which flow `{key}` is", path=at, on="key", help=help)
    else:
        yield from _run(Run(**{key: value}), at[:-1], roster, roster.home)


def _runs(value: Mapping[str, Run | str], at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    for name, run in value.items():
        yield from roster.known("flow", name, (*at, name), "key")
        if isinstance(run, Run):
            yield from _run(run, (*at, name), roster, name)


def _run(run: Run, at: KeyPath, roster: KnownNames, name: str) -> Iterator[Problem]:
    flow = roster.flows.get(name)
    if flow is None:
        return
    for i, item in enumerate(run.path if isinstance(run.path, tuple) else ()):
        if isinstance(item, str):
            yield from roster.node(flow, item, (*at, "path", i))
        else:
            for j, id in enumerate(item):
                yield from roster.node(flow, id, (*at, "path", i, j))
    for id, port in run.ports.items() if isinstance(run.ports, dict) else ():
        yield from roster.port(flow, id, port, (*at, "ports", id))


def _event(value: Mapping[str, Any], at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    for text in value:
        yield from field(text, (*at, text), "event", EVENT, "properties")


def _calls(value: Mapping[str, Any], at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    for text in value:
        yield from roster.outside(text, (*at, text))


def _profile(value: Mapping[str, Any] | None, at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    for text, wanted in (value or {}).items():
        yield from field(text, (*at, text), "profile", FIELDS["profile"] or (), HOMES["profile"])
        if text == "segments" and isinstance(wanted, list):
            yield from roster.segments([name for name in wanted if isinstance(name, str)], (*at, text))


def _profiles(value: Mapping[str, Mapping[str, Any]], at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    for visitor, wanted in value.items():
        yield from roster.visitor(visitor, (*at, visitor), "key")
        yield from _profile(wanted, (*at, visitor), roster)


def _several(value: tuple[str, ...], at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    yield from roster.came(value, at)
    if len(set(value)) < 2:
        yield Problem(code="H404", message=f"`{at[-1]}` compares at least two visitors", path=at, on="key")


def _crossing(value: Any, at: KeyPath, roster: KnownNames) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield from roster.segments(value, at)
        return
    for visitor, names in value.items():
        yield from roster.visitor(visitor, (*at, visitor), "key")
        yield from roster.segments(names, (*at, visitor))


_LOOKS: Final[Mapping[str, Look]] = {
    "outcome": _of_home,
    "path": _of_home,
    "ports": _of_home,
    "runs": _runs,
    "event": _event,
    "calls": _calls,
    "profile": _profile,
    "profiles": _profiles,
    "same": _several,
    "apart": _several,
    "entered": _crossing,
    "left": _crossing,
}
_WHOSE: Final[Mapping[str, tuple[type, ...]]] = {"profile": (), "entered": (Mapping,), "left": (Mapping,)}

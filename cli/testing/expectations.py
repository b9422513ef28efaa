"""Whether what came of a step is what was expected: one function for each key of `expect`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import UNSET, Struct, structs
from rich.text import Text

from cli.testing import why
from cli.testing.compare import Difference, at_paths, differences
from cli.testing.play import Happened, Play
from cli.traces import short
from engine.language.absent import ABSENT
from engine.problem import KeyPath
from engine.profile.consent import consent_state
from engine.profile.document import Profile
from flows.case import DEFAULT_VISITOR, Event, Expect, Run, present_keys


class Failure(Struct, frozen=True):
    """Something that came out otherwise, at its place in the file: what was expected and what was, why, the remedy."""

    at: KeyPath
    told: str
    why: tuple[Text, ...] = ()
    help: str = ""
    on_key: bool = False


class Judge(Struct, frozen=True):
    """What a step came to, and the play that it is part of."""

    happened: Happened
    play: Play

    def run(self, flow: str) -> dict[str, Any] | None:
        """What became of a flow: of several of its runs the last one, else why it did not run."""
        found = [run for run in self.happened.runs if run["flow"] == flow]
        return max(found, key=lambda run: (_rank(run), found.index(run)), default=None)

    def runs(self) -> tuple[Text, ...]:
        """What all flows did."""
        return tuple(why.of_runs(self.happened.runs))


def failures(expect: Expect, at: KeyPath, judge: Judge) -> Iterator[Failure]:
    """What came out otherwise than expected."""
    for key in present_keys(expect):
        yield from CHECKS[key](getattr(expect, key), (*at, key), judge)


# ---- flows ----------------------------------------------------------------------------------------------------------


def _of_home(value: Any, at: KeyPath, judge: Judge) -> Iterator[Failure]:
    return _run(Run(**{str(at[-1]): value}), at[:-1], judge, judge.play.home or "")


def _runs(value: Mapping[str, Run | str], at: KeyPath, judge: Judge) -> Iterator[Failure]:
    for flow, run in value.items():
        if isinstance(run, Run):
            yield from _run(run, (*at, flow), judge, flow)
        else:
            yield from _outcome(run, (*at, flow), flow, judge.run(flow))


def _run(wanted: Run, at: KeyPath, judge: Judge, flow: str) -> Iterator[Failure]:
    run = judge.run(flow)
    if isinstance(wanted.outcome, str):
        yield from _outcome(wanted.outcome, (*at, "outcome"), flow, run)
    if isinstance(wanted.ports, Mapping):
        for node, port in wanted.ports.items():
            yield from _port(port, (*at, "ports", node), node, run)
    if isinstance(wanted.path, tuple):
        taken = [step["node"] for step in (run or {}).get("steps", ())]
        if not _is_path(wanted.path, taken):
            way = " › ".join(taken) or "nowhere"
            told = f"expected `{flow}` to go {_way(wanted.path)}; it went {way}"
            yield Failure((*at, "path"), told, tuple(why.of_run(run)))


def _outcome(wanted: str, at: KeyPath, flow: str, run: dict[str, Any] | None) -> Iterator[Failure]:
    found = "not-triggered" if run is None else run["outcome"]
    if found != wanted:
        told = f"expected `{flow}` to be {wanted}; it was {found}"
        yield Failure(at, told, tuple(why.of_run(run)))


def _port(wanted: str, at: KeyPath, node: str, run: dict[str, Any] | None) -> Iterator[Failure]:
    left = next((step["port"] for step in (run or {}).get("steps", ()) if step["node"] == node), None)
    if left != wanted:
        how = "it did not run" if left is None else f"it left by `{left}`"
        yield Failure(at, f"expected `{node}` to leave by `{wanted}`; {how}", tuple(why.of_run(run, node)))


def _is_path(wanted: tuple[str | tuple[str, ...], ...], taken: list[str]) -> bool:
    rest = taken
    for item in wanted:
        several = (item,) if isinstance(item, str) else item
        if sorted(rest[: len(several)]) != sorted(several):
            return False
        rest = rest[len(several) :]
    return not rest


def _way(path: tuple[str | tuple[str, ...], ...]) -> str:
    return " › ".join(item if isinstance(item, str) else f"[{', '.join(item)}]" for item in path) or "nowhere"


def _rank(run: dict[str, Any]) -> int:
    """How much a run says: most if it ran; little if the event was none of the flow's."""
    if "steps" in run:
        return 3
    return 2 if run["outcome"] == "filtered" else int("event.type" not in run["reason"]["values"])


# ---- what was answered, and what flows gave --------------------------------------------------------------------------


def _refused(value: str | None, at: KeyPath, judge: Judge) -> Iterator[Failure]:
    refusal = judge.happened.refused
    if value is not None and (refusal is None or refusal.kind != value):
        found = "taken" if refusal is None else f"refused as {refusal.kind}: {why.of_refusal(refusal)}"
        reasons = judge.runs() if refusal is None else ()
        yield Failure(at, f"expected the payload to be refused as {value}; it was {found}", reasons)


def _response(value: Any, at: KeyPath, judge: Judge) -> Iterator[Failure]:
    return _differ(differences(value, judge.happened.response), at, "the response", judge.runs())


def _event(value: Mapping[str, Any], at: KeyPath, judge: Judge) -> Iterator[Failure]:
    return _differ(at_paths(value, judge.happened.event or {}), at, "the event", judge.runs())


def _emitted(value: tuple[str | Event, ...], at: KeyPath, judge: Judge) -> Iterator[Failure]:
    found = [event for event in judge.happened.events if event.origin == "flow"]
    wanted = [one if isinstance(one, str) else one.type for one in value]
    types = [event.type for event in found]
    if wanted != types:
        told = f"expected {_some(wanted, 'event')} to be emitted; there was {_some(types, 'event')}"
        yield Failure(at, told, judge.runs())
        return
    for i, (one, event) in enumerate(zip(value, found, strict=True)):
        if isinstance(one, Event):
            apart = differences(one.properties, event.properties, ("properties",))
            yield from _differ(apart, (*at, i), f"`{event.type}`", judge.runs())


def _calls(value: Mapping[str, int | tuple[Struct, ...]], at: KeyPath, judge: Judge) -> Iterator[Failure]:
    for text, wanted in value.items():
        address = judge.play.mocks.addresses.outside(text)
        found = [request.ask for request in judge.happened.requests if request.of == address]
        number = wanted if isinstance(wanted, int) else len(wanted)
        if number != len(found):
            told = f"expected `{text}` to make {_counted(number, 'request')}; it made {len(found)}"
            yield Failure((*at, text), told, tuple(why.of_run(judge.run(address.flow), address.node)))
        elif not isinstance(wanted, int):
            for i, (one, ask) in enumerate(zip(wanted, found, strict=True)):
                said = {name: part for name, part in structs.asdict(one).items() if part is not UNSET}
                yield from _differ(differences(said, structs.asdict(ask)), (*at, text, i), f"`{text}`", judge.runs())


# ---- profiles -------------------------------------------------------------------------------------------------------


def _profile(value: Mapping[str, Any] | None, at: KeyPath, judge: Judge) -> Iterator[Failure]:
    profile = judge.happened.profile
    if value is None:
        if profile is not None:
            yield Failure(at, "expected no profile; there is one", judge.runs())
        return
    yield from _person(value, at, judge, profile, "the profile")


def _profiles(value: Mapping[str, Mapping[str, Any]], at: KeyPath, judge: Judge) -> Iterator[Failure]:
    for visitor, wanted in value.items():
        yield from _person(wanted, (*at, visitor), judge, judge.happened.people[visitor], visitor)


def _person(
    wanted: Mapping[str, Any], at: KeyPath, judge: Judge, profile: Profile | None, who: str
) -> Iterator[Failure]:
    if profile is None:
        yield Failure(at, f"{who} has no profile" if who != "the profile" else "there is no profile", judge.runs())
        return
    shown = _in_words(judge.play.stage.view(profile), wanted, judge.play.clock.now())
    yield from _differ(at_paths(wanted, shown), at, who, judge.runs())


def _in_words(shown: dict[str, Any], wanted: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The profile with how its consents stand, where that is wanted as a word such as `given`."""
    words: dict[str, Any] = {}
    for text, value in wanted.items():
        root, _, name = text.partition(".")
        if root == "consents":
            words |= {name: value} if name else value if isinstance(value, Mapping) else {}
    said = {name: consent_state(shown["consents"], name, now) for name, word in words.items() if isinstance(word, str)}
    return {**shown, "consents": {**shown["consents"], **said}}


def _same(value: tuple[str, ...], at: KeyPath, judge: Judge) -> Iterator[Failure]:
    first, *others = value
    for other in others:
        if _id(judge, other) is None or _id(judge, first) != _id(judge, other):
            told = f"expected {first} and {other} to be one profile; they are not"
            yield Failure((*at, value.index(other)), told, judge.runs())


def _apart(value: tuple[str, ...], at: KeyPath, judge: Judge) -> Iterator[Failure]:
    for i, one in enumerate(value):
        for other in value[:i]:
            if _id(judge, one) is not None and _id(judge, one) == _id(judge, other):
                yield Failure((*at, i), f"expected {other} and {one} to be two profiles; they are one", judge.runs())


def _entered(value: Any, at: KeyPath, judge: Judge) -> Iterator[Failure]:
    return _crossed(value, at, judge, entered=True)


def _left(value: Any, at: KeyPath, judge: Judge) -> Iterator[Failure]:
    return _crossed(value, at, judge, entered=False)


def _crossed(value: Any, at: KeyPath, judge: Judge, *, entered: bool) -> Iterator[Failure]:
    named = isinstance(value, Mapping)
    for visitor, names in (value if named else {judge.happened.sender or "": value}).items():
        place = (*at, visitor) if named else at
        profile = judge.happened.people.get(visitor) if named else judge.happened.profile
        ids = frozenset(profile.ids if profile is not None else ())
        crossings = [one for one in judge.happened.crossings if one.entered is entered and ids & one.ids]
        found = sorted({one.segment for one in crossings})
        wanted = sorted([names] if isinstance(names, str) else names)
        if found != wanted:
            word, was = ("enter", "entered") if entered else ("leave", "left")
            told = f"expected {_who(visitor)} to {word} {_some(wanted, 'segment')}; {_some(found, 'segment')} was {was}"
            reasons = [line for name in sorted({*wanted} ^ {*found}) for line in _segment(judge, profile, name)]
            yield Failure(place, told, tuple(reasons))


def _segment(judge: Judge, profile: Profile | None, name: str) -> Iterable[Text]:
    if profile is None:
        return
    for line in why.of_segment(judge.play.project, profile, name, judge.play.clock.now()):
        yield Text.assemble((f"{name}  ", "cyan"), line)


def _id(judge: Judge, visitor: str) -> str | None:
    profile = judge.happened.people[visitor]
    return profile.id if profile is not None else None


# ---- in words -------------------------------------------------------------------------------------------------------


def _differ(found: Iterable[Difference], at: KeyPath, what: str, reasons: tuple[Text, ...]) -> Iterator[Failure]:
    for one in found:
        where = ".".join(map(str, one.at))
        place = f"`{where}` of {what}" if where else what
        wanted = "not to be there" if one.wanted is None else f"to be {_value(one.wanted)}"
        yield Failure((*at, *one.at), f"expected {place} {wanted}; it is {_value(one.found)}", reasons)


def _who(visitor: str) -> str:
    return "the visitor" if visitor == DEFAULT_VISITOR else visitor


def _value(value: Any) -> str:
    return "absent" if value is ABSENT else short(json.dumps(value, ensure_ascii=False))


def _some(names: list[str], noun: str) -> str:
    return ", ".join(f"`{name}`" for name in names) or f"no {noun}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


Check = Callable[[Any, KeyPath, Judge], Iterator[Failure]]

CHECKS: Final[Mapping[str, Check]] = {
    "outcome": _of_home,
    "path": _of_home,
    "ports": _of_home,
    "runs": _runs,
    "refused": _refused,
    "response": _response,
    "event": _event,
    "emitted": _emitted,
    "calls": _calls,
    "profile": _profile,
    "profiles": _profiles,
    "same": _same,
    "apart": _apart,
    "entered": _entered,
    "left": _left,
}

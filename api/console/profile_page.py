"""The page of a profile: who it is, its links, segments, traits and consents, from documents that may be masked."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from api.console.evaluated import parts_of
from api.console.site import link, path_of
from api.console.steps import Evaluated
from api.console.timeline_view import side_of
from api.console.words import literal, visible
from engine.profile.consent import consent_state

Document = Mapping[str, Any]

MAX_DRAWN: Final = 8  # ids in the picture of a profile, and keys
ROW: Final = 60  # px between two of them


class LinkView(Struct, frozen=True):
    """A link that joins an id to a key or another id, with why."""

    id: str
    left: str
    side: str
    by: str
    state: str  # "holds", "ceased" or "undone"
    at: int | None
    event: str
    event_link: str
    where: str
    joined: str
    clashes: list[str]
    undo_link: str


class Box(Struct, frozen=True):
    """An id in the picture of a profile."""

    y: int
    id: str
    shown: bool


class Knot(Struct, frozen=True):
    """A key in the picture, or a direct link of two ids."""

    y: int
    name: str
    state: str


class Strand(Struct, frozen=True):
    """A line of the picture between a box and a knot."""

    y1: int
    y2: int
    kind: str  # "", "claim" or "gone"


class Drawn(Struct, frozen=True):
    """The picture of who a profile is."""

    boxes: list[Box]
    knots: list[Knot]
    strands: list[Strand]
    height: int
    label: str


class SegmentView(Struct, frozen=True):
    """A segment of a profile: since when, and its evaluated condition."""

    name: str
    link: str
    member: bool
    since: int | None
    due: int | None
    late: bool
    evaluated: Evaluated | None


class TraitView(Struct, frozen=True):
    """A value of a profile, and which node wrote it last, as far as the kept runs say."""

    path: str
    value: str
    at: int | None
    where: str
    run_link: str


class ConsentView(Struct, frozen=True):
    """A consent: its state, since when and until when (ms)."""

    name: str
    state: str
    since: int | None
    until: int | None


_BY: Final = {"claim": "a claim", "proof": "a proof", "own": "the first login of a device"}


def name_of(profile: Document) -> str:
    """Return by what people know a profile: its e-mail address or name, else the beginning of its id."""
    pii, traits = profile.get("pii") or {}, profile.get("traits") or {}
    for root, key in ((pii, "email"), (pii, "name"), (traits, "name"), (traits, "email")):
        if isinstance(root.get(key), str) and root[key].strip():
            return visible(root[key])
    return f"{profile['id'][:8]}…"


def links_of(profile: str, why: Document) -> list[LinkView]:
    """Return the links of a profile, the oldest first."""
    return [_link(profile, each) for each in why["links"]]


def _link(profile: str, each: Document) -> LinkView:
    held = each.get("held")
    ids = [str(held[side]["ids"][0]) for side in ("left", "right")] if held else []
    other = next((id for id in ids if id != each.get("won")), "")
    event = str(each.get("event") or "")
    return LinkView(
        id=each["link"],
        left=each["left"],
        side=side_of(each),
        by=_BY[each["by"]],
        state=each["state"],
        at=each.get("at"),
        event=event,
        event_link=path_of("events", event) if event else "",
        where=f"flow {each['flow']}, node {each['node']}" if each.get("flow") else "the login" if event else "",
        joined=f"{other[:8]}… joined {str(each.get('won'))[:8]}…" if other else "",
        clashes=[_clash(clash) for clash in each.get("clashes", ())],
        undo_link=link(path_of("profiles", profile, "unmerge"), link=each["link"]),
    )


def _clash(clash: Document) -> str:
    if "left" not in clash:
        return f"{clash['path']} had two values"
    kept = {"left": clash["left"], "right": clash["right"]}.get(clash["shown"])
    return f"{clash['path']} was {clash['left']} and {clash['right']}; " + (
        f"{kept} shows" if kept is not None else "what shows is neither"
    )


def drawn(profile: Document, why: Document) -> Drawn | None:
    """Return the picture of a profile that several ids or keys make up; None if there is nothing to draw."""
    parts = [part["id"] for part in why["parts"]]
    links = [each for each in why["links"] if each["left"] in parts]
    rights = list(dict.fromkeys(each["right"] for each in links))
    if not rights or len(parts) > MAX_DRAWN or len(rights) > MAX_DRAWN:
        return None
    rows = max(len(parts), len(rights))
    ids = {id: 34 + ROW * i + ROW * (rows - len(parts)) // 2 for i, id in enumerate(parts)}
    keys = {right: 34 + ROW * i + ROW * (rows - len(rights)) // 2 for i, right in enumerate(rights)}
    names = {each["right"]: side_of(each) for each in links}
    kinds = {each["right"]: each["by"] for each in links if each["state"] == "holds"}
    said = "; ".join(f"{each['left'][:8]} by {side_of(each)}, {_BY[each['by']]}, {each['state']}" for each in links)
    return Drawn(
        boxes=[Box(y, id, id == profile["id"]) for id, y in ids.items()],
        knots=[Knot(y, names[right], kinds.get(right, "gone")) for right, y in keys.items()],
        strands=[Strand(ids[each["left"]], keys[each["right"]], _strand(each)) for each in links],
        height=ROW * rows + 12,
        label=f"The ids of the profile and what joins them: {said}",
    )


def _strand(each: Document) -> str:
    return "gone" if each["state"] != "holds" else "claim" if each["by"] == "claim" else ""


def segment_view(explained: Document) -> SegmentView:
    """Return a segment of a profile, from the document of `explain_segment`."""
    evaluated = None
    if "condition" in explained:
        held = explained["holds"]
        words = {True: "true", False: "false"}.get(held) if isinstance(held, bool) else None
        evaluated = Evaluated(parts_of(explained["condition"], explained["values"]), words or literal(held))
    return SegmentView(
        name=explained["segment"],
        link=path_of("segments", explained["segment"]),
        member=explained["member"],
        since=explained.get("since"),
        due=explained.get("due"),
        late=bool(explained.get("late")),
        evaluated=evaluated,
    )


def traits_of(profile: Document, timeline: Document) -> list[TraitView]:
    """Return the values of a profile below `traits` and `pii`, each with the node that wrote it last."""
    writers = _writers(timeline)
    rows = [
        (f"{root}.{name}" if root == "pii" else name, f"{root}.{name}", value)
        for root in ("traits", "pii")
        for name, value in (profile.get(root) or {}).items()
    ]
    return [_trait(shown, value, writers.get(path)) for shown, path, value in rows]


def _trait(name: str, value: Any, writer: tuple[int, str, str] | None) -> TraitView:
    at, where, run = writer or (None, "", "")
    return TraitView(visible(name), literal(value), at, where, path_of("runs", run) if run else "")


def _writers(timeline: Document) -> dict[str, tuple[int, str, str]]:
    """Return for each path of the profile the last kept run that wrote it: its time, flow and node, and its id."""
    found: dict[str, tuple[int, str, str]] = {}
    runs = [run for entry in timeline["entries"] for run in entry.get("runs", ()) if run["outcome"] != "failed"]
    for run in sorted(runs, key=lambda run: run["at"]):
        for node, path in _written(run):
            found[path] = (run["at"], f"{run['flow']} › {node}", run["id"])
    return found


def _written(run: Document) -> Iterator[tuple[str, str]]:
    for step in run.get("steps", ()):
        for operation in step.get("operations", ()):
            path = operation.get("path")
            if isinstance(path, str):
                yield step["node"], ".".join(path.split(".")[:2])


def consents_of(profile: Document, now: int) -> list[ConsentView]:
    """Return the consents of a profile."""
    consents = profile.get("consents") or {}
    return [_consent(name, consents, now) for name in sorted(consents)]


def _consent(name: str, consents: Document, now: int) -> ConsentView:
    state, stored = consent_state(consents, name, now), consents[name]
    times = stored if isinstance(stored, Mapping) else {}
    since = times.get("revoked") if state == "revoked" else times.get("given")
    return ConsentView(visible(name), state, _ms(since), _ms(times.get("expires")))


def _ms(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

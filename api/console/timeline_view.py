"""The timeline of a profile as its page lists it, from the document of `api.timeline`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, structs

from api.console.delivery_view import DeliveryView, delivery_view
from api.console.event_view import EventView, event_view
from api.console.site import path_of
from api.console.words import day, visible

Document = Mapping[str, Any]


class Line(Struct, frozen=True):
    """A line of the timeline. `dot` is the kind of its mark: "" (an event), `w`, `b` (identity) or `f` (failed).

    `day` is the date, on the first line of a day.
    """

    at: int
    kind: str
    dot: str = ""
    day: str = ""
    event: EventView | None = None
    delivery: DeliveryView | None = None
    segment: str = ""
    text: str = ""
    more: str = ""
    link: str = ""
    joins: bool = False


SHOWN: Final = ("all", "events", "failed", "segments", "merges", "deliveries")  # the values of `show`


def lines_of(timeline: Document, show: str) -> list[Line]:
    """Return the lines of a timeline that `show` asks for: some of `SHOWN`, separated by commas."""
    asked = [word for word in show.split(",") if word in _TESTS]
    lines = [line for entry in timeline["entries"] for line in _lines(entry)]
    return list(_with_days([line for line in lines if not asked or any(_TESTS[word](line) for word in asked)]))


def _with_days(lines: list[Line]) -> Iterator[Line]:
    last = ""
    for line in lines:
        date = day(line.at)[:10]
        yield line if date == last else structs.replace(line, day=date)
        last = date


_TESTS: Final[Mapping[str, Callable[[Line], bool]]] = {
    "events": lambda line: line.event is not None and line.kind != "segment",
    "failed": lambda line: line.dot == "f",
    "segments": lambda line: line.kind == "segment",
    "merges": lambda line: line.kind in {"link", "undone"},
    "deliveries": lambda line: line.kind == "delivery",
}


def _lines(entry: Document) -> Iterator[Line]:
    at, kind = entry["at"], entry["kind"]
    what = entry[kind]
    match kind:
        case "event":
            yield _of_event(at, what, entry.get("runs", []))
        case "segment":
            yield Line(at, kind, "w", segment=str(what["segment"]), text="entered")
        case "link":
            yield _of_link(at, what)
        case "undone":
            yield Line(at, kind, "b", text="a link was undone", more=f"by an operator: {side_of(what)}")
        case "delivery":
            shown = delivery_view(what)
            yield Line(at, kind, "f" if shown.state == "dead" else "", delivery=shown)
        case "wait":
            events = f"for {', '.join(map(str, what['for']))}" if what.get("for") else ""
            text = f"{what['flow']} began to wait"
            yield Line(at, kind, text=text, more=events, link=path_of("tasks") + "#waits")
        case "rejected":
            where = f" at {what['at_field']}" if what.get("at_field") else ""
            link = path_of("rejected", str(what["id"]))
            yield Line(at, kind, "f", text=f"rejected{where}", more=visible(str(what["reason"])), link=link)


def _of_event(at: int, event: Document, runs: list[Document]) -> Line:
    shown = event_view(event, [run for run in runs if run["outcome"] != "not-triggered"])
    failed = any(run.why or run.outcome == "failed" for run in shown.runs)
    if event["type"] in {"segment-entered", "segment-left"} and event.get("origin") == "system":
        text = "entered" if event["type"] == "segment-entered" else "left"
        segment = str((event.get("properties") or {}).get("segment", ""))
        return Line(at, "segment", "f" if failed else "w", event=shown, segment=segment, text=text)
    return Line(at, "event", "f" if failed else "", event=shown)


def _of_link(at: int, link: Document) -> Line:
    by = {"claim": "a claim", "proof": "a proof", "own": "the first login of a device"}[link["by"]]
    node = f"{link['flow']} › {link['node']}" if link.get("flow") else "the login"
    if "held" in link:
        left, right = [str(link["held"][side]["ids"][0]) for side in ("left", "right")]
        other = right if link["won"] == left else left
        more = f"{other[:8]}… joined {str(link['won'])[:8]}… by {side_of(link)}, {by}, in {node}"
        return Line(at, "link", "b", text="two ids became one person", more=more, joins=True)
    return Line(at, "link", "b", text=f"known by {side_of(link)}", more=f"{by}, in {node}")


def side_of(link: Document) -> str:
    """Return what a link leads to: the path of a key, else the beginning of an id."""
    return str(link["key"]) if "key" in link else f"id {str(link['right'])[:8]}…"

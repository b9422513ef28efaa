"""An event as pages list it: its type, a few of its properties, and the addresses that it leads to."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from api.console.run_view import RunView, view_of
from api.console.site import path_of
from api.console.words import literal, value, visible

MAX_SHOWN: Final = 4  # properties of an event in a line
SHORT: Final = 40  # characters of one

Document = Mapping[str, Any]


class EventView(Struct, frozen=True):
    """An event in a list, with the runs that are kept of it. `about` are its first properties, as `name=value`."""

    id: str
    type: str
    source: str
    at: int
    origin: str
    about: str
    profile: str
    link: str
    profile_link: str
    runs: list[RunView] = []


def event_view(event: Document, runs: Sequence[Document] = ()) -> EventView:
    """Return an event, which may be masked, as a list shows it."""
    profile = str(event.get("profile") or "")
    return EventView(
        id=str(event["id"]),
        type=visible(str(event["type"])),
        source=str(event["source"]),
        at=event["received"],
        origin=str(event.get("origin") or "client"),
        about=about(event.get("properties") or {}),
        profile=profile,
        link=path_of("events", str(event["id"])),
        profile_link=path_of("profiles", profile) if profile else "",
        runs=[view_of(dict(run)) for run in runs],
    )


def about(properties: Document) -> str:
    """Return the first properties of an event on one line: texts and numbers, and `…` for what is larger."""
    shown = [f"{visible(str(name))}={_short(data)}" for name, data in list(properties.items())[:MAX_SHOWN]]
    return " ".join([*shown, *(["…"] if len(properties) > MAX_SHOWN else [])])


def _short(data: Any) -> str:
    if isinstance(data, dict | list):
        return "…" if data else literal(data)
    return value(data, SHORT) if isinstance(data, str) else literal(data, SHORT)

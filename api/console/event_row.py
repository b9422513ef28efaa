"""An event with its kept runs, as a row of the front page."""

from msgspec import Struct

from api.console.run_view import RunView
from api.console.site import path_of
from engine.ports.records import StoredEvent


class EventRow(Struct, frozen=True):
    """An event with its kept runs. `state` is `bad` if one has failed, `mind` if a node has left by a failure port."""

    id: str
    type: str
    at: int
    profile: str | None
    link: str
    profile_link: str
    runs: list[RunView]
    state: str


def row_of(event: StoredEvent, runs: list[RunView]) -> EventRow:
    """Return an event as a row."""
    failed = any(run.outcome == "failed" for run in runs)
    warned = any(run.node for run in runs)
    return EventRow(
        id=event.id,
        type=event.type,
        at=event.received,
        profile=event.profile,
        link=path_of("events", event.id),
        profile_link=path_of("profiles", event.profile) if event.profile else "",
        runs=sorted(runs, key=lambda run: run.flow),
        state="bad" if failed else "mind" if warned else "",
    )

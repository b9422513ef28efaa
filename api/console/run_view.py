"""A run as pages list it: its path, the first thing that failed, and the addresses that it leads to."""

from typing import Any

from msgspec import Struct

from api.console.path_line import PathPart, path_of
from api.console.site import path_of as address
from api.console.words import visible
from api.serialize import serialize_run
from engine.ports.records import RunRecord

Document = dict[str, Any]


class RunView(Struct, frozen=True):
    """A run in a list. `why` is the reason of the first node that left by `failed`, `us` the duration."""

    id: str
    flow: str
    version: str
    outcome: str
    at: int
    source: str
    event: str
    type: str
    profile: str | None
    us: float | None
    path: list[PathPart]
    node: str
    why: str
    link: str
    event_link: str
    flow_link: str
    profile_link: str


def run_view(run: RunRecord) -> RunView:
    """Return a run as a list shows it."""
    return view_of(serialize_run(run))


def view_of(document: Document) -> RunView:
    """Return a run, which may be masked, as a list shows it."""
    event, profile = document.get("event"), document.get("profile")
    named = event if isinstance(event, dict) else {"id": event}
    profile_id = profile.get("id") if isinstance(profile, dict) else profile
    node, why = first_failure(document)
    return RunView(
        id=document["id"],
        flow=document["flow"],
        version=document["version"],
        outcome=document["outcome"],
        at=document["at"],
        source=document["source"],
        event=str(named.get("id") or ""),
        type=visible(str(named.get("type") or "event")),
        profile=profile_id,
        us=document.get("duration_us"),
        path=path_of(document),
        node=node,
        why=visible(why),
        link=address("runs", document["id"]),
        event_link=address("events", str(named.get("id") or "-")),
        flow_link=address("flows", document["flow"]),
        profile_link=address("profiles", profile_id) if profile_id else "",
    )


def first_failure(document: Document) -> tuple[str, str]:
    """Return the node that ended a run, else the first that left by `failed`, with its reason; both may be empty."""
    steps = document.get("steps", ())
    failed = [step for step in steps if step["port"] == "failed"]
    ended = document.get("failed_at") if document.get("outcome") == "failed" else None
    chosen = next((step for step in failed if step["node"] == ended), failed[0] if failed else None)
    if chosen is not None:
        return chosen["node"], str(chosen.get("error") or chosen.get("reason") or document.get("reason") or "")
    reason = document.get("reason")
    return str(ended or ""), reason if isinstance(reason, str) else ""

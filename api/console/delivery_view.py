"""A delivery as pages list it: where it goes, how far it has come, and the addresses that it leads to."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from api.console.site import path_of
from api.console.words import value, visible

Document = Mapping[str, Any]


class DeliveryView(Struct, frozen=True):
    """A delivery in a list. `call` is what is sent, in a line; `why` is the answer to the last attempt."""

    id: str
    target: str
    call: str
    about: str
    state: str
    mode: str
    attempts: int
    rounds: int
    why: str
    at: int
    due: int
    since: int | None
    last_at: int | None
    flow: str
    node: str
    profile: str
    link: str
    event_link: str
    run_link: str
    profile_link: str


def delivery_view(delivery: Document) -> DeliveryView:
    """Return a delivery, which may be masked, as a list shows it."""
    last = delivery.get("last") or {}
    profile, run = str(delivery.get("profile") or ""), str(delivery.get("run") or "")
    call, about = _call(delivery)
    return DeliveryView(
        id=delivery["id"],
        target=str(delivery["target"]),
        call=call,
        about=about,
        state=delivery["state"],
        mode=delivery["mode"],
        attempts=delivery["attempts"],
        rounds=delivery.get("rounds", 0),
        why=visible(_why(last)),
        at=delivery["at"],
        due=delivery["due"],
        since=delivery.get("since"),
        last_at=last.get("at"),
        flow=str(delivery["flow"]),
        node=str(delivery["node"]),
        profile=profile,
        link=path_of("deliveries", delivery["id"]),
        event_link=path_of("events", str(delivery["event"] or "-")),
        run_link=path_of("runs", run) if run else "",
        profile_link=path_of("profiles", profile) if profile else "",
    )


def _why(last: Document) -> str:
    status, reason = last.get("status"), str(last.get("reason") or "")
    return ", ".join(filter(None, [str(status) if status and str(status) not in reason else "", reason]))


def _call(delivery: Document) -> tuple[str, str]:
    """Return what is sent to the target, and the content in short."""
    message, target = delivery.get("message"), str(delivery["target"])
    if not isinstance(message, Mapping):
        return target, ""
    match message.get("message"):
        case "http":
            call = f"{message.get('method', 'POST')} {target} {message.get('path', '/')}"
            return visible(call), value(message["body"], 100) if message.get("body") is not None else ""
        case "webhook":
            return visible(f"webhook {target} {message.get('path', '/')}"), value(message.get("type", ""), 100)
        case "mail":
            return f"e-mail by {target}", value(f"to {message.get('to')}: {message.get('subject')}", 100)
        case "event":
            return "an event for Headrace itself", value(message.get("type", ""), 100)
    return target, ""

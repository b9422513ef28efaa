"""`/console/events` and `/console/events/ID`: events, who handled them, and why other flows did not."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from msgspec import Struct

from api.access.option import access
from api.console.delivery_view import delivery_view
from api.console.evaluated import parts_of
from api.console.event_view import event_view
from api.console.queries import ask
from api.console.run_view import RunView, view_of
from api.console.site import Site, link, path_of
from api.console.steps import Evaluated
from api.console.words import literal, many, visible
from api.serialize import serialize_record, serialize_run
from engine.ports.kinds import DELIVERIES, REJECTED, SEARCHABLE
from engine.ports.records import StoredEvent
from engine.search.field import Field
from engine.search.query import Is, Query
from engine.tracking.operations.handling import not_handled
from engine.tracking.operations.timeline import runs_of_events

TAB: Final = "/console/events"
OF_EVENT: Final = 100  # deliveries of an event, and values that were refused
_FAR: Final = frozenset({"type", "schedule"})  # causes of flows that have nothing to do with an event
Document = dict[str, Any]


class Quiet(Struct, frozen=True):
    """A flow that the event did not start, and why."""

    flow: str
    link: str
    why: str
    evaluated: Evaluated | None = None
    run_link: str = ""


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of the list of events and of the page of one."""

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def events(
        request: Request[Any, Any, Any], q: FromQuery[str] = "", after: FromQuery[str] = ""
    ) -> Response[str]:
        return await listed(site, request, q, after)

    @get(f"{TAB}/{{id:str}}", include_in_schema=False, opt=access("viewer"))
    async def event(request: Request[Any, Any, Any], id: FromPath[str]) -> Response[str]:
        stored = await site.store.event(id)
        if stored is None:
            raise NotFoundException(f"there is no event {id}: it was not stored, or it is older than the retention")
        document = site.shown(request, await _document(site, stored))
        return site.page(request, "event.html", tab=TAB, **_context(document))

    return [events, event]


async def listed(
    site: Site, request: Request[Any, Any, Any], q: str, after: str = "", *, private: bool = False
) -> Response[str]:
    """Return the list of events. A `private` query quotes personal data, so that no address may carry it."""
    asked = await ask(site, "events", q, after, request=request)
    found = [each for each in asked.page.items if isinstance(each, StoredEvent)]
    document = site.shown(request, await _list(site, found))
    rows = [event_view(each["event"], _ran(each["runs"])) for each in document["events"]]
    more = asked.page.after is not None
    return site.page(
        request,
        "events.html",
        tab=TAB,
        q=q,
        error=asked.problem,
        rows=rows,
        said=f"{many(len(rows), 'stored event')} on this page, newest first, each with the runs that are kept.",
        private=private and more,
        older=link(TAB, q=q, after=asked.page.after) if more and not private else "",
        newest=link(TAB, q=q) if after else "",
    )


async def _list(site: Site, events: Sequence[StoredEvent]) -> Document:
    """Return events with their kept runs. Raises `Unavailable`."""
    runs = await runs_of_events(site.store, [event.id for event in events])
    return {
        "events": [
            {
                "event": msgspec.to_builtins(event),
                "runs": [serialize_run(run) for run in runs.get((event.source, event.id), ())],
            }
            for event in events
        ]
    }


async def _document(site: Site, event: StoredEvent) -> Document:
    """Return all that the page of an event shows, as one document. Raises `Unavailable`."""
    of_it = Is(Field("event"), (event.id,))
    runs = (await runs_of_events(site.store, [event.id])).get((event.source, event.id), ())
    deliveries = await site.store.search(Query(SEARCHABLE[DELIVERIES.name], of_it), OF_EVENT)
    rejected = await site.store.search(Query(SEARCHABLE[REJECTED.name], of_it), OF_EVENT)
    fields = site.project.settings.fields
    return {
        "event": msgspec.to_builtins(event),
        "occurred": event.occurred_at,
        "runs": [serialize_run(run) for run in runs],
        "quiet": [msgspec.to_builtins(each) for each in not_handled(site.project, event, {run.flow for run in runs})],
        "deliveries": [serialize_record(each, fields) for each in deliveries.items],
        "rejected": [serialize_record(each, fields) for each in rejected.items],
    }


def _ran(runs: list[Document]) -> list[Document]:
    """Return the runs that began; a flow that was not triggered has a record as well, with the reason."""
    return [run for run in runs if run["outcome"] not in {"not-triggered", "filtered"}]


def _context(document: Document) -> Document:
    event, quiet = document["event"], document["quiet"]
    shown = event_view(event)
    ran = [view_of(run) for run in _ran(document["runs"])]
    raw = msgspec.json.format(msgspec.json.encode(event), indent=1).decode()
    occurred = document["occurred"]
    return {
        "event": shown,
        "headline": _headline(ran),
        "occurred": occurred if occurred != event["received"] else None,
        "session": visible(str(event.get("session") or "")),
        "parent": event.get("parent"),
        "parent_link": path_of("events", str(event["parent"])) if event.get("parent") else "",
        "ran": ran,
        "near": [*_not_begun(document["runs"]), *[_quiet(each) for each in quiet if each["cause"] not in _FAR]],
        "far": [_quiet(each) for each in quiet if each["cause"] in _FAR],
        "deliveries": [delivery_view(each) for each in document["deliveries"]],
        "refused": [
            (visible(each["at_field"]), visible(each["reason"]), path_of("rejected", each["id"]))
            for each in document["rejected"]
        ],
        "properties": _leaves(event.get("properties") or {}),
        "context": _leaves(event.get("context") or {}),
        "raw": raw,
    }


def _headline(ran: list[RunView]) -> str:
    """Return the answer of the page: how many flows ran, and which of them failed."""
    failed = [f"`{run.flow}`" for run in ran if run.outcome in {"failed", "timed-out"}]
    if failed:
        others = len(ran) - len(failed)
        return f"failed in {', '.join(failed)}" + (f", and ran in {many(others, 'other flow')}" if others else "")
    if not ran:
        return "started no flow of which a run is kept"
    return f"ran in {many(len(ran), 'flow')}"


def _not_begun(runs: list[Document]) -> list[Quiet]:
    """Return the flows whose kept records say that they did not begin, with the reason."""
    return [
        _with_reason(run["flow"], run.get("reason"), run["outcome"], path_of("runs", run["id"]))
        for run in runs
        if run["outcome"] in {"not-triggered", "filtered"}
    ]


def _with_reason(flow: str, reason: Any, outcome: str, run_link: str) -> Quiet:
    words = {"filtered": "it was filtered"}.get(outcome, "its trigger did not match")
    if not isinstance(reason, dict):
        return Quiet(flow, path_of("flows", flow), visible(str(reason or words)), None, run_link)
    evaluated = Evaluated(
        parts_of(str(reason.get("expression", "")), reason.get("values") or {}),
        "false" if reason.get("result") is False else "",
    )
    why = visible(str(reason.get("why") or words))
    return Quiet(flow, path_of("flows", flow), why, evaluated if reason.get("expression") else None, run_link)


def _quiet(each: Document) -> Quiet:
    expression = each["expression"]
    evaluated = Evaluated(parts_of(expression, each["values"]), "false" if each["cause"] == "when" else "")
    return Quiet(each["flow"], path_of("flows", each["flow"]), each["why"], evaluated if expression else None)


def _leaves(data: Document, path: str = "", depth: int = 4) -> list[tuple[str, str]]:
    """Return the values of a tree with their paths; a list is one value."""
    found: list[tuple[str, str]] = []
    for name, value in data.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, dict) and value and depth:
            found += _leaves(value, here, depth - 1)
        else:
            found.append((visible(here), literal(value, 400)))
    return found

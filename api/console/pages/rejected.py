"""`/console/rejected` and `/console/rejected/ID`: events that could not be accepted, why, and sending one mended."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from msgspec import Struct

from api.access.audit import audited
from api.access.directory import mask_of
from api.access.option import access
from api.access.principal import principal_of
from api.access.role import allows
from api.console.pages.login import texts_of
from api.console.queries import ask, quoted_word
from api.console.site import Site, link, path_of
from api.console.words import literal, many, value, visible
from api.problem import HttpProblem
from api.serialize import serialize_rejected
from engine.language.quoting import shape_of
from engine.ports.kinds import REJECTED
from engine.ports.records import Rejected
from engine.tracking.intake.payload import Refusal
from engine.tracking.operations.resubmitting import NotAccepted, event_id, resubmit

TAB: Final = "/console/rejected"
GROUPED: Final = 500  # of which reasons are counted
GROUPS: Final = 12
_ESCAPED: Final = {each: f"\\u{each:04x}" for each in (*range(9), 11, 12, *range(14, 32), *range(127, 160))}
Document = dict[str, Any]


class RejectedRow(Struct, frozen=True):
    """A rejected event, or a refused value of an event, in the list."""

    at: int
    source: str
    reason: str
    field: str
    found: str
    link: str
    event: str
    event_link: str


class Cause(Struct, frozen=True):
    """A reason, how many of the newest rejected events have it, and the query that finds them."""

    reason: str
    source: str
    count: int
    link: str


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of the list of rejected events, of the page of one, and of sending it again."""

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def rejected(
        request: Request[Any, Any, Any], q: FromQuery[str] = "", after: FromQuery[str] = ""
    ) -> Response[str]:
        return await listed(site, request, q, after)

    @get(f"{TAB}/{{id:str}}", include_in_schema=False, opt=access("viewer"))
    async def one(request: Request[Any, Any, Any], id: FromPath[str]) -> Response[str]:
        return await _page(site, request, await _found(site, id))

    @post(f"{TAB}/{{id:str}}/resubmit", include_in_schema=False, opt=access("operator"))
    async def again(request: Request[Any, Any, Any], id: FromPath[str]) -> Response[Any]:
        record, form = await _found(site, id), await texts_of(request)
        text = form.get("body", "") if mask_of(request).shows else _text(record)
        source = site.project.sources.get(record.source)
        if record.event is not None or source is None or not source.enabled:
            raise HttpProblem(409, "this cannot be sent again: it is a value of a stored event, or its source is gone")
        try:
            async with audited(request, "resubmit an event", f"rejected/{id}", reason=form.get("reason", "")) as notes:
                event = await resubmit(request.app.state.tracker, source, record, text)
                notes.detail = f"as event {event}"
        except (NotAccepted, Refusal) as refused:
            said = refused.detail if isinstance(refused, Refusal) else str(refused)
            return await _page(site, request, record, text=text, refused=said, status=422)
        return Redirect(path_of("events", event), status_code=303)

    return [rejected, one, again]


async def listed(
    site: Site, request: Request[Any, Any, Any], q: str, after: str = "", *, private: bool = False
) -> Response[str]:
    """Return the list of rejected events. A `private` query quotes personal data, so that no address may carry it."""
    asked = await ask(site, "rejected", q, after, request=request)
    newest = await ask(site, "rejected", q, limit=GROUPED) if not asked.problem else asked
    found = [_row(site.shown(request, serialize_rejected(each))) for each in _records(asked.page.items)]
    more = asked.page.after is not None
    return site.page(
        request,
        "rejected.html",
        tab=TAB,
        q=q,
        error=asked.problem,
        rows=found,
        causes=_causes([site.shown(request, serialize_rejected(each)) for each in _records(newest.page.items)]),
        counted=f"of the newest {GROUPED:,}" if newest.page.after else "of all that are kept and found",
        headline=_headline(len(newest.page.items), q, more=newest.page.after is not None),
        private=private and more,
        older=link(TAB, q=q, after=asked.page.after) if more and not private else "",
        newest=link(TAB, q=q) if after else "",
    )


async def _found(site: Site, id: str) -> Rejected:
    record = await site.store.record(REJECTED, id)
    if record is None:
        raise NotFoundException(f"there is no rejected event {id}: it may be older than the retention")
    return record


async def _page(
    site: Site,
    request: Request[Any, Any, Any],
    record: Rejected,
    *,
    text: str | None = None,
    refused: str = "",
    status: int = 200,
) -> Response[str]:
    """Return the page of a rejected event. `text` is what an operator has made of it. Raises `Unavailable`."""
    document = site.shown(request, serialize_rejected(record))
    row, shows = _row(document), mask_of(request).shows
    source = site.project.sources.get(record.source)
    stored = await site.store.event(record.event or event_id(record, _text(record)))
    may = record.event is None and source is not None and source.enabled
    return site.page(
        request,
        "rejected_event.html",
        tab=TAB,
        status=status,
        row=row,
        id=record.id,
        session=visible(record.session or ""),
        profile=record.profile or "",
        sent_again=path_of("events", stored.id) if stored is not None and record.event is None else "",
        of_event=path_of("events", record.event) if record.event else "",
        may=may and allows(principal_of(request).role, "operator"),
        why_not=_why_not(record, source_known=source is not None),
        masked=not shows,
        text=(text if text is not None else _text(record)) if shows else "",
        body=json.dumps(document["body"], ensure_ascii=False, indent=1),
        refused=visible(refused),
        action=path_of("rejected", record.id, "resubmit"),
    )


def _why_not(record: Rejected, *, source_known: bool) -> str:
    if record.event is not None:
        return (
            "This is one value of an event that is stored without it. Send the event again with another id to set it."
        )
    return "" if source_known else "The project has no source of this name, so it cannot be sent again from here."


def _text(record: Rejected) -> str:
    """Return the body of a rejected event as an operator edits it: JSON, or the text that is none."""
    body = serialize_rejected(record)["body"]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, indent=1)
    return text.translate(_ESCAPED)


def _row(document: Document) -> RejectedRow:
    event = str(document.get("event") or "")
    return RejectedRow(
        at=document["at"],
        source=visible(str(document["source"])),
        reason=visible(str(document["reason"])),
        field=visible(_in_event(document)),
        found=_at(document),
        link=path_of("rejected", document["id"]),
        event=event,
        event_link=path_of("events", event) if event else "",
    )


def _in_event(document: Document) -> str:
    """Return the place of the fault in the event, without that of the event in its payload."""
    parts = str(document.get("at_field") or "").split("/")[1:]
    return "/".join(["", *parts[2:]]) if parts[:1] == ["events"] else "/".join(["", *parts]) if parts else ""


def _at(document: Document) -> str:
    """Return what stands at the place of the fault; empty if nothing does."""
    data = document.get("body")
    if document.get("event"):
        return literal(data, 80)
    for part in _in_event(document).split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict) and name in data:
            data = data[name]
        elif isinstance(data, list) and name.isdecimal() and int(name) < len(data):
            data = data[int(name)]
        else:
            return ""
    return literal(data, 80) if not isinstance(data, str) else f'"{value(data, 80)}"'


def _records(items: Sequence[Struct]) -> list[Rejected]:
    return [each for each in items if isinstance(each, Rejected)]


def _causes(documents: Sequence[Document]) -> list[Cause]:
    """Return the most frequent reasons."""
    counted = Counter((shape_of(str(each["reason"])), str(each["source"])) for each in documents)
    return [
        Cause(visible(reason), visible(source), count, link(TAB, q=_query(reason, source)))
        for (reason, source), count in counted.most_common(GROUPS)
    ]


def _query(reason: str, source: str) -> str:
    part = max(reason.split("{}"), key=len)  # a reason with values is found by its longest piece without one
    return f"source:{quoted_word(source)} reason:{quoted_word(part)}"


def _headline(count: int, q: str, *, more: bool) -> str:
    if not count:
        return "Nothing was rejected" if not q.strip() else "No rejected event is found"
    return f"{'More than ' if more else ''}{many(count, 'rejected event')}"

"""`/console/deliveries`: what is sent to other systems. By target first, then the deliveries that gave up or wait."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, get_args

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Redirect

from api.access.audit import audited
from api.access.option import access
from api.access.principal import principal_of
from api.access.role import allows
from api.console.delivery_view import DeliveryView, delivery_view
from api.console.queries import Asked, ask
from api.console.site import Site, link
from api.console.targets import HOURS, targets_of
from api.console.words import many
from api.problem import HttpProblem
from api.serialize import serialize_delivery
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery
from engine.sending.changes import Keeping
from engine.sending.operations import STATE_BEFORE, Change, Choice, DeliveryOperations

TAB: Final = "/console/deliveries"
CHANGE: Final = f"{TAB}/change"
LISTED: Final = 200  # that gave up, and that wait
COUNTED: Final = 1000  # of those of the last day
STEPS: Final = 20  # of 100 deliveries, that one request changes
WORDS: Final[dict[Change, str]] = {"retry": "Send again", "drop": "Let go"}
Document = dict[str, Any]
Within = Annotated[str, QueryParameter(name="state")]


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of the pages of deliveries, and of what operators do with them."""
    return [*_reading(site), *_changing(site)]


def _reading(site: Site) -> list[HTTPRouteHandler]:
    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def deliveries(
        request: Request[Any, Any, Any],
        q: FromQuery[str] = "",
        within: Within = "",
        after: FromQuery[str] = "",
        changed: FromQuery[int | None] = None,
        skipped: FromQuery[int] = 0,
    ) -> Response[str]:
        common: Document = {
            "q": q,
            "may": _may(request),
            "notice": _notice(changed, skipped),
            "state": within,
            "change": CHANGE,
        }
        if q or within:
            query = f"({q}) state:{within}" if q and within else q or f"state:{within}"
            asked = await ask(site, "deliveries", query, after, request=request)
            found = _shown(site, request, _records(asked))
            older = link(TAB, q=q, state=within, after=asked.page.after) if asked.page.after else ""
            more = {
                "found": found,
                "error": asked.problem,
                "older": older,
                "headline": many(len(found), "delivery", "deliveries"),
            }
            return site.page(request, "deliveries_found.html", tab=TAB, **{**common, **more})
        return site.page(request, "deliveries.html", tab=TAB, **{**common, **await _overview(site, request)})

    @get(f"{TAB}/{{id:str}}", include_in_schema=False, opt=access("viewer"))
    async def delivery(request: Request[Any, Any, Any], id: FromPath[str]) -> Response[str]:
        stored = await site.store.record(DELIVERIES, id)
        if stored is None:
            raise NotFoundException(f"there is no delivery {id}: it may have ended and been deleted")
        document = site.shown(request, serialize_delivery(stored))
        raw = msgspec.json.format(msgspec.json.encode(document), indent=1).decode()
        change: Change | None = {"dead": "retry", "waiting": "drop"}.get(stored.state)  # type: ignore[assignment]
        return site.page(
            request,
            "delivery.html",
            tab=TAB,
            each=delivery_view(document),
            ended=document.get("ended"),
            took=(document.get("last") or {}).get("took_ms"),
            message=msgspec.json.format(msgspec.json.encode(document["message"]), indent=1).decode(),
            before=document.get("after", []),
            word=WORDS[change] if change and _may(request) else "",
            change_link=link(CHANGE, what=change, id=id),
            raw=raw,
        )

    return [deliveries, delivery]


def _changing(site: Site) -> list[HTTPRouteHandler]:
    @get(CHANGE, include_in_schema=False, opt=access("operator"))
    async def confirm(
        request: Request[Any, Any, Any],
        what: FromQuery[str] = "",
        id: FromQuery[list[str] | None] = None,
        target: FromQuery[str] = "",
    ) -> Response[str]:
        change = change_of(what)
        before = STATE_BEFORE[change]
        chosen = Choice(tuple(id or ())[:LISTED], target or None, None, before)
        records, more = await _operations(site).page(chosen, LISTED, None)
        rows = _shown(site, request, [each for each in records if each.state == before])
        return site.page(
            request,
            "deliveries_change.html",
            tab=TAB,
            what=change,
            word=WORDS[change],
            rows=rows,
            ids=list(chosen.ids),
            target=target,
            more=more is not None,
        )

    @post(f"{TAB}/{{what:str}}", include_in_schema=False, opt=access("operator"))
    async def change(request: Request[Any, Any, Any], what: FromPath[str]) -> Redirect:
        wanted, form = change_of(what), await request.form()
        ids, target = tuple([str(each) for each in form.getall("id", [])]), str(form.get("target") or "")
        if len(ids) > LISTED:
            raise HttpProblem(400, f"choose at most {LISTED} deliveries, or a target")
        subjects = [f"delivery/{id}" for id in ids] or [f"target/{target}" if target else "all targets"]
        async with audited(request, f"{wanted} deliveries", *subjects, reason=str(form.get("reason") or "")) as notes:
            done, skipped = await _changed(site, wanted, Choice(ids, target or None))
            notes.detail = f"{done} changed, {skipped} skipped"
        return Redirect(link(TAB, changed=done, skipped=skipped), status_code=303)

    return [confirm, change]


def change_of(what: str) -> Change:
    """Return a change by its name. Raises `HttpProblem` (404)."""
    for each in get_args(Change):
        if each == what:
            found: Change = each
            return found
    raise HttpProblem(404, f"deliveries have no such change as {what}: they can be sent again, or let go")


async def _changed(site: Site, what: Change, choice: Choice) -> tuple[int, int]:
    """Change deliveries, some pages of them. Return how many were changed and how many skipped."""
    operations, after, done, skipped = _operations(site), None, 0, 0
    for _ in range(STEPS):
        result = await operations.change(what, choice, after)
        done, skipped, after = done + len(result.changed), skipped + len(result.skipped), result.after
        if after is None:
            break
    return done, skipped


async def _overview(site: Site, request: Request[Any, Any, Any]) -> Document:
    """Return the context of the page without a query."""
    now = site.clock.now()
    dead = await ask(site, "deliveries", "state:dead", limit=LISTED)
    waiting = await ask(site, "deliveries", "state:waiting", limit=LISTED)
    recent = await ask(site, "deliveries", "at:>now-1d", limit=COUNTED)
    gave_up, waits = _shown(site, request, _records(dead)), _shown(site, request, _records(waiting))
    open_for = {each.target: each.seconds for each in request.app.state.open_breakers()}
    targets = targets_of(site.project.targets, _records(recent), _records(dead), _records(waiting), open_for, now)
    return {
        "headline": _headline(len(gave_up), len(waits), dead.page.after, waiting.page.after),
        "targets": targets,
        "hours": HOURS,
        "counted": f"of the last {HOURS} hours" + (f", the newest {COUNTED:,}" if recent.page.after else ""),
        "dead": gave_up,
        "dead_more": link(TAB, state="dead") if dead.page.after else "",
        "waiting": sorted(waits, key=lambda each: each.due),
        "waiting_more": link(TAB, state="waiting") if waiting.page.after else "",
        "sent_link": link(TAB, state="sent"),
    }


def _headline(dead: int, waiting: int, more_dead: str | None, more_waiting: str | None) -> str:
    gave_up = (
        f"{'more than ' if more_dead else ''}{many(dead, 'delivery', 'deliveries')} gave up" if dead else "None gave up"
    )
    waits = f"{'more than ' if more_waiting else ''}{waiting:,} {'is' if waiting == 1 else 'are'} waiting"
    return f"{gave_up}, {waits}" if dead or waiting else "Nothing gave up, and nothing waits"


def _notice(changed: int | None, skipped: int) -> str:
    if changed is None:
        return ""
    left = f"; {skipped:,} had moved on meanwhile and {'was' if skipped == 1 else 'were'} left alone" if skipped else ""
    return f"{many(changed, 'delivery', 'deliveries')} changed{left}."


def _may(request: Request[Any, Any, Any]) -> bool:
    return allows(principal_of(request).role, "operator")


def _records(asked: Asked) -> list[StoredDelivery]:
    return [each for each in asked.page.items if isinstance(each, StoredDelivery)]


def _shown(site: Site, request: Request[Any, Any, Any], records: Sequence[StoredDelivery]) -> list[DeliveryView]:
    return [delivery_view(site.shown(request, serialize_delivery(each))) for each in records]


def _operations(site: Site) -> DeliveryOperations:
    return DeliveryOperations(site.store, site.clock, Keeping(window=site.project.settings.window_ms))

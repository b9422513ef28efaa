"""Routes by which operators see deliveries, have dead ones sent again, and drop waiting ones."""

from typing import Annotated, Any, Final

from litestar import Request, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from api.access.audit import audited
from api.access.directory import mask_of
from api.access.option import access
from api.description.operation import described
from api.documents.record import DELIVERY, SUMMARY, Delivery, DeliverySummaryPage
from api.serialize import serialize_delivery
from api.unmerge import no_foreign_page
from engine.ports.outbox import DeliveryState, StoredDelivery
from engine.search.page import DEFAULT_LIMIT, MAX_LIMIT, BadCursor
from engine.sending.changes import Keeping
from engine.sending.operations import Change, ChangedDeliveries, Choice, DeliveryOperations
from engine.tracking.intake.payload import Refusal
from engine.tracking.pipeline.pipeline import Pipeline

IDS_AT_ONCE = 100  # in one request
CHANGED: Final[dict[str, Any]] = {"changed": ["d-1"], "skipped": [], "later": {}, "after": None}

Target = Annotated[str | None, QueryParameter(description="Only those to this target")]
Flow = Annotated[str | None, QueryParameter(description="Only those of this flow")]
State = Annotated[DeliveryState | None, QueryParameter(name="state", description="Only those in this state")]
Limit = Annotated[int, QueryParameter(description=f"How many a page has at most: 1 to {MAX_LIMIT}")]
After = Annotated[str, QueryParameter(description="The `after` of the page before")]


class DeliveryChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """The request body: some ids, else a target or a flow, or both. `after` is that of the answer before."""

    ids: tuple[str, ...] = ()
    target: str | None = None
    flow: str | None = None
    after: str | None = None


class Summaries(Struct, frozen=True):
    """Deliveries, newest first, without their messages. `after` leads to the next page; else null."""

    items: list[dict[str, Any]]
    after: str | None


def deliveries_router(pipeline: Pipeline) -> Router:
    """Return the routes; no page of another origin may make changes."""
    operations = DeliveryOperations(pipeline.store, pipeline.clock, Keeping(window=pipeline.project.settings.window_ms))

    @get(
        "/deliveries",
        summary="Deliveries: what is sent to other systems",
        opt=access("viewer")
        | described("listDeliveries", DeliverySummaryPage, example={"items": [SUMMARY], "after": None}),
    )
    async def several(
        request: Request[Any, Any, Any],
        target: Target = None,
        flow: Flow = None,
        in_state: State = None,
        limit: Limit = DEFAULT_LIMIT,
        after: After = "",
    ) -> Summaries:
        if not 1 <= limit <= MAX_LIMIT:
            raise Refusal("malformed", f"`limit` is between 1 and {MAX_LIMIT}")
        try:
            items, following = await operations.page(Choice((), target, flow, in_state), limit, after or None)
        except BadCursor as bad:
            raise Refusal("malformed", str(bad)) from bad
        mask = mask_of(request)
        return Summaries([mask.delivery(summary_of(each)) for each in items], following)

    @get(
        "/deliveries/{id:str}",
        summary="A delivery with its message",
        opt=access("viewer") | described("readDelivery", Delivery, example=DELIVERY),
    )
    async def one(request: Request[Any, Any, Any], id: FromPath[str]) -> dict[str, Any]:
        found = await operations.one(id)
        if found is None:
            raise NotFoundException(f"there is no delivery {id}")
        return mask_of(request).delivery(serialize_delivery(found))

    async def changed(request: Request[Any, Any, Any], what: Change, chosen: DeliveryChoice) -> ChangedDeliveries:
        if not (chosen.ids or chosen.target or chosen.flow):
            raise Refusal("malformed", "name deliveries by `ids`, a `target` or a `flow`")
        if len(chosen.ids) > IDS_AT_ONCE:
            raise Refusal("malformed", f"`ids` holds more than {IDS_AT_ONCE}: send them in several requests")
        wanted = [f"delivery/{id}" for id in chosen.ids]
        wanted += [f"{kind}/{name}" for kind, name in (("target", chosen.target), ("flow", chosen.flow)) if name]
        try:
            async with audited(request, f"{what} deliveries", *wanted) as notes:
                done = await operations.change(what, Choice(chosen.ids, chosen.target, chosen.flow), chosen.after)
                notes.detail = f"{len(done.changed)} changed"
            return done
        except BadCursor as bad:
            raise Refusal("malformed", str(bad)) from bad

    @post(
        "/deliveries/retry",
        status_code=200,
        summary="Send dead deliveries again",
        guards=[no_foreign_page],
        opt=access("operator")
        | described("retryDeliveries", ChangedDeliveries, example=CHANGED, body={"ids": ["d-1"]}),
    )
    async def retry(request: Request[Any, Any, Any], data: JSONBody[DeliveryChoice]) -> ChangedDeliveries:
        return await changed(request, "retry", data)

    @post(
        "/deliveries/drop",
        status_code=200,
        summary="Do not send waiting deliveries",
        guards=[no_foreign_page],
        opt=access("operator")
        | described("dropDeliveries", ChangedDeliveries, example=CHANGED, body={"target": "crm"}),
    )
    async def drop(request: Request[Any, Any, Any], data: JSONBody[DeliveryChoice]) -> ChangedDeliveries:
        return await changed(request, "drop", data)

    return Router("/", route_handlers=[several, one, retry, drop], tags=["deliveries"])


def summary_of(delivery: StoredDelivery) -> dict[str, Any]:
    """Return a delivery without its message and the people in it."""
    hidden = {"message", "met", "session"}
    return {name: value for name, value in serialize_delivery(delivery).items() if name not in hidden}

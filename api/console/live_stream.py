"""`/console/live`: the stream of the front page: events, and the runs that the page adds to them, as HTML."""

from typing import Final

from litestar import asgi
from litestar.connection import ASGIConnection
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from api.access.directory import mask_of
from api.access.mask import Mask
from api.access.option import access
from api.access.shown import shown
from api.console.environment import environment
from api.console.event_row import row_of
from api.console.run_view import view_of
from api.live.route import Live, Show
from api.problem import HttpProblem
from api.serialize import serialize_run
from engine.ports.following import Row
from engine.ports.records import RunRecord, StoredEvent

PATH: Final = "/console/live"
MOST: Final = 20  # rows a second; the page says how many more there were
NOT_RUN: Final = frozenset({"not-triggered", "filtered"})


def html_rows(mask: Mask) -> Show:
    """Return how a row is shown to the page: as the element that it adds; empty for a flow that did not run."""
    events = environment().get_template("live_row.html")
    runs = environment().get_template("live_run.html")

    def show(row: Row) -> str:
        match row.record:
            case StoredEvent():
                return events.render(row=row_of(row.record, []), principal=None)
            case RunRecord() if row.record.outcome not in NOT_RUN:
                run = view_of(shown(mask, serialize_run(row.record)))
                return runs.render(run=run, event=row.record.event, principal=None)
        return ""

    return show


def live_stream_handler(live: Live) -> ASGIRouteHandler:
    """Return the handler of the stream."""

    @asgi(PATH, copy_scope=False, opt=access("viewer"))
    async def follow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":  # type: ignore[typeddict-item]  # an HTTP scope
            raise HttpProblem(405, "send a GET", {"Allow": "GET"})
        await live.answer(scope, receive, send, html_rows(mask_of(ASGIConnection(scope))), MOST)

    return follow

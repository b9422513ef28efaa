"""The routes of the console: its pages and its files."""

from typing import Any, Final

from litestar.handlers import HTTPRouteHandler

from api.console.pages import (
    account,
    audit,
    deliveries,
    events,
    flows,
    health,
    identity,
    live,
    login,
    problems,
    profiles,
    rejected,
    replay,
    run,
    runs,
    schemas,
    search,
    segments,
    tasks,
    tracing,
    users,
)
from api.console.site import Site
from api.console.static import static_handlers

PAGES: Final[tuple[Any, ...]] = (
    account,
    audit,
    deliveries,
    events,
    flows,
    health,
    identity,
    live,
    login,
    problems,
    profiles,
    rejected,
    replay,
    run,
    runs,
    schemas,
    search,
    segments,
    tasks,
    tracing,
    users,
)


def console_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of the console's pages, and of its files."""
    return [*static_handlers(), *[handler for page in PAGES for handler in page.handlers(site)]]

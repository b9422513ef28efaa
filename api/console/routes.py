"""The routes of the console: its pages and its files."""

from typing import Any, Final

from litestar import Router
from litestar.types import ControllerRouterHandler

from api.console.pages import run, runs
from api.console.site import Site
from api.console.static import static_handlers
from api.read_guard import ReadGuard
from engine.tracking.pipeline.pipeline import Pipeline

PAGES: Final[tuple[Any, ...]] = (runs, run)


def console_handlers(pipeline: Pipeline, may_read: ReadGuard) -> list[ControllerRouterHandler]:
    """Return the pages of the console, for those whom `may_read` admits, and its files."""
    site = Site(pipeline)
    pages = [handler for page in PAGES for handler in page.handlers(site)]
    return [*static_handlers(), Router("/", route_handlers=pages, guards=[may_read])]

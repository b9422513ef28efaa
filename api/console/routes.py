"""The routes of the console: its pages and its files."""

from typing import Any, Final

from litestar.handlers import HTTPRouteHandler

from api.console.pages import run, runs
from api.console.site import Site
from api.console.static import static_handlers
from engine.tracking.pipeline.pipeline import Pipeline

PAGES: Final[tuple[Any, ...]] = (runs, run)


def console_handlers(pipeline: Pipeline) -> list[HTTPRouteHandler]:
    """Return the handlers of the console's pages, and of its files."""
    site = Site(pipeline)
    return [*static_handlers(), *[handler for page in PAGES for handler in page.handlers(site)]]

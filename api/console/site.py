"""The parts that all pages of the console share: their frame, their headers, and how a part of a page is answered.

A page is whole without script. htmx asks for the same address with `HX-Request`, and gets the title, the tabs and the
element `main`. Answers are never stored by a browser, since they may contain personal data.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from litestar import Request, Response
from markupsafe import Markup
from msgspec import Struct

from api.access.directory import mask_of
from api.access.principal import Principal
from api.access.shown import shown
from api.console.environment import environment
from engine.ports.store import Store
from engine.ports.world import Clock
from engine.project.project import Project
from engine.tracking.pipeline.pipeline import Pipeline

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Vary": "HX-Request",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class Tab(Struct, frozen=True):
    """A page in the band at the top, with the letter that leads to it after `g`."""

    name: str
    path: str
    key: str


TABS: Final = (
    Tab("Live", "/console", "l"),
    Tab("Runs", "/console/runs", "r"),
    Tab("Problems", "/console/problems", "p"),
    Tab("Events", "/console/events", "e"),
    Tab("Profiles", "/console/profiles", "o"),
    Tab("Flows", "/console/flows", "f"),
    Tab("Segments", "/console/segments", "s"),
    Tab("Deliveries", "/console/deliveries", "d"),
    Tab("Rejected", "/console/rejected", "x"),
    Tab("Tasks", "/console/tasks", "t"),
    Tab("Schemas", "/console/schemas", "c"),
    Tab("Health", "/console/health", "h"),
)


class Site:
    """The data that pages read, and how they are answered."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.store: Store = pipeline.store
        self.clock: Clock = pipeline.clock

    @property
    def project(self) -> Project:
        """The project that is served now."""
        return self.pipeline.project

    def shown(self, request: Request[Any, Any, Any], document: dict[str, Any]) -> dict[str, Any]:
        """Return a document as the sender of a request may see it. Pages show nothing else."""
        return shown(mask_of(request), document)

    def page(
        self, request: Request[Any, Any, Any], template: str, *, tab: str = "", status: int = 200, **context: Any
    ) -> Response[str]:
        """Return a page, or the part of it that htmx asks for. `tab` is the path of the tab to mark."""
        part = request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers
        frame = {
            "part": part,
            "tabs": TABS,
            "tab": tab,
            "project": self.project,
            "now": self.clock.now(),
            "principal": request.scope.get("user"),
            "link": link,
            "path_of": path_of,
            "csrf": lambda: csrf_field(request),
            "address": str(request.url.path),
        }
        text = environment().get_template(template).render({**frame, **context})
        return Response(text, status_code=status, media_type="text/html", headers=dict(HEADERS))


def link(path: str, query: Mapping[str, object] | None = None, **more: object) -> str:
    """Return the address of a page: `link('/console/runs', q='…')`. Values that are empty are left out."""
    given = {name: value for name, value in {**(query or {}), **more}.items() if value not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path


def csrf_field(request: Request[Any, Any, Any]) -> Markup:
    """Return the hidden field that every form of the console carries; `{{ csrf() }}` in a template."""
    principal = request.scope.get("user")
    csrf = principal.csrf if isinstance(principal, Principal) else ""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(csrf) if csrf else Markup()


def path_of(*names: str) -> str:
    """Return a path of the console; each name is one part of it, whatever characters it has."""
    return "/".join(["/console", *[quote(name, safe="") for name in names]])


PageOf = Callable[[Site], list[Any]]

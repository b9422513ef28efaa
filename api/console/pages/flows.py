"""`/console/flows` and `/console/flows/NAME`: the flows of the project, each with its graph beside its source."""

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from markupsafe import Markup
from msgspec import Struct

from api.access.option import access
from api.console.queries import quoted_word
from api.console.site import Site, link, path_of
from api.console.source import lines_of
from api.picture.layout import PicturedNode, TooManyNodes, picture
from api.picture.svg import svg
from engine.flow.plan import Flow
from engine.tracking.pipeline.flow_versions import FlowVersions

TAB = "/console/flows"
WIDE = 900.0  # px; a wider picture is scrolled rather than shrunk


class FlowRow(Struct, frozen=True):
    """A flow in the list."""

    name: str
    description: str
    takes: str
    nodes: int
    version: str
    link: str
    runs: int | None = None
    failed: int | None = None


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of the list of flows and of the page of one."""
    versions = FlowVersions(site.store, lambda: site.project)

    @get(TAB, include_in_schema=False, opt=access("viewer"))
    async def flows(request: Request[Any, Any, Any]) -> Response[str]:
        rows = [_row(flow) for flow in site.project.flows]
        return site.page(
            request,
            "flows.html",
            tab=TAB,
            flows=rows,
            broken=sorted(site.project.broken_flows),
            said="As they are served now.",
        )

    @get(f"{TAB}/{{name:str}}", include_in_schema=False, opt=access("viewer"))
    async def flow(
        request: Request[Any, Any, Any], name: FromPath[str], version: FromQuery[str] = "", node: FromQuery[str] = ""
    ) -> Response[str]:
        current = next((each for each in site.project.flows if each.name == name), None)
        shown: Flow | str | None = current
        if version and (current is None or current.version != version):
            shown = await versions.find(name, version)
        if not isinstance(shown, Flow):
            raise NotFoundException(shown or f"the project has no flow `{name}`, or it was left out for its errors")
        return site.page(request, "flow.html", tab=TAB, **_context(shown, current, node))

    return [flows, flow]


def takes(flow: Flow) -> str:
    """Return which events a flow takes, in words."""
    trigger = flow.trigger
    if trigger.schedule is not None:
        return "no event: it runs by a schedule"
    events = ", ".join(f"`{name}`" for name in trigger.events) or "all events"
    sources = f" from {', '.join(f'`{name}`' for name in trigger.sources)}" if trigger.sources else ""
    when = f" when `{trigger.when.source}`" if trigger.when is not None else ""
    return f"{events}{sources}{when}"


def _row(flow: Flow) -> FlowRow:
    return FlowRow(
        flow.name, flow.description, takes(flow), len(flow.all_nodes), flow.version, path_of("flows", flow.name)
    )


def _context(flow: Flow, current: Flow | None, node: str) -> dict[str, Any]:
    lines = {planned.line: id for id, planned in flow.all_nodes.items()}
    marked = flow.all_nodes[node].line if node in flow.all_nodes else None
    here = path_of("flows", flow.name)
    drawn, no_graph, wide = _drawn(flow, here, node)
    of_flow = f"flow:{quoted_word(flow.name)}"
    return {
        "flow": flow,
        "takes": takes(flow),
        "older_version": current is None or current.version != flow.version,
        "current_link": here,
        "here": link(here, version="" if current is flow else flow.version),
        "runs_link": link("/console/runs", q=of_flow),
        "problems_link": link("/console/problems", q=of_flow),
        "counted": None,
        "title": "Graph",
        "graph": drawn,
        "no_graph": no_graph,
        "wide": wide,
        "note": "",
        "lines": lines_of(flow.text, lines, None, marked),
    }


def _drawn(flow: Flow, here: str, selected: str) -> tuple[Markup | None, str, bool]:
    try:
        drawn = picture(flow)
    except TooManyNodes as error:
        return None, f"{error}. The source shows all of them.", False

    def address(node: PicturedNode) -> str:
        id = node.id.rpartition(".")[2]
        return f"{link(here, node=id)}#node-{id}"

    return svg(drawn, link=address, selected=selected), "", drawn.width > WIDE

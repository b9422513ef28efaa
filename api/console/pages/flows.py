"""`/console/flows` and `/console/flows/NAME`: the flows of the project, each with its graph beside its source."""

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from markupsafe import Markup
from msgspec import Struct

from api.access.option import access
from api.console.counts import WINDOWS, Window, groups_of, window_of
from api.console.queries import quoted_word
from api.console.site import Site, link, path_of
from api.console.source import lines_of
from api.console.words import many
from api.picture.layout import PicturedNode, TooManyNodes, picture
from api.picture.svg import svg
from engine.flow.plan import Flow
from engine.ports.run_counts import RunTotals
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
        shown = await window_of(site, "")
        rows = [_row(flow, shown.totals) for flow in site.project.flows]
        return site.page(
            request,
            "flows.html",
            tab=TAB,
            flows=rows,
            broken=sorted(site.project.broken_flows),
            said=f"As they are served now. Runs are those of the last {shown.words}, counted exactly.",
        )

    @get(f"{TAB}/{{name:str}}", include_in_schema=False, opt=access("viewer"))
    async def flow(
        request: Request[Any, Any, Any],
        name: FromPath[str],
        version: FromQuery[str] = "",
        node: FromQuery[str] = "",
        window: FromQuery[str] = "",
    ) -> Response[str]:
        current = next((each for each in site.project.flows if each.name == name), None)
        shown: Flow | str | None = current
        if version and (current is None or current.version != version):
            shown = await versions.find(name, version)
        if not isinstance(shown, Flow):
            raise NotFoundException(shown or f"the project has no flow `{name}`, or it was left out for its errors")
        counted = await window_of(site, window)
        return site.page(request, "flow.html", tab=TAB, **_context(shown, current, node, counted))

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


def _row(flow: Flow, totals: RunTotals) -> FlowRow:
    mine = totals.of_flow(flow.name)
    return FlowRow(
        name=flow.name,
        description=flow.description,
        takes=takes(flow),
        nodes=len(flow.all_nodes),
        version=flow.version,
        link=path_of("flows", flow.name),
        runs=mine.total(),
        failed=mine.total("failed"),
    )


def _context(flow: Flow, current: Flow | None, node: str, window: Window) -> dict[str, Any]:
    lines = {planned.line: id for id, planned in flow.all_nodes.items()}
    marked = flow.all_nodes[node].line if node in flow.all_nodes else None
    here = path_of("flows", flow.name)
    counts = window.totals.of_flow(flow.name, flow.version)
    through = _node_counts(flow, counts)
    drawn, no_graph, wide = _drawn(flow, here, node, counts)
    of_flow = f"flow:{quoted_word(flow.name)}"
    version = "" if current is flow else flow.version
    return {
        "flow": flow,
        "takes": takes(flow),
        "older_version": current is None or current.version != flow.version,
        "current_link": here,
        "here": link(here, version=version),
        "windows": [(name, link(here, version=version, window=name), name == window.name) for name in WINDOWS],
        "runs_link": link("/console/runs", q=of_flow),
        "problems": len(groups_of(counts, "/console/runs")),
        "problems_link": link("/console/problems", flow=flow.name),
        "counted": counts.total(),
        "title": f"{many(counts.total(), 'run')} in the last {window.words}",
        "graph": drawn,
        "no_graph": no_graph,
        "wide": wide,
        "note": _note(flow, counts),
        "lines": lines_of(flow.text, lines, through, marked),
    }


def _node_counts(flow: Flow, counts: RunTotals) -> dict[str, int]:
    """Return how often each node ran; those of a loop's body are not counted."""
    found = {node.id: 0 for node in flow.nodes}
    for (_, _, index, port), count in counts.ports.items():
        if index < len(flow.nodes) and port != "skipped":
            found[flow.nodes[index].id] += count
    return found


def _edge_counts(flow: Flow, counts: RunTotals) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """Return how many runs went along each edge, by port."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for (_, _, index, port), count in counts.ports.items():
        if index < len(flow.nodes):
            node = flow.nodes[index]
            for target in node.outs.get(port, ()):
                found.setdefault((node.id, flow.nodes[target].id), []).append((port, count))
    return found


def _note(flow: Flow, counts: RunTotals) -> str:
    """Return which ports that lead on were never taken."""
    if not counts.total():
        return "No run of this version in this window: the graph has no counts."
    taken = {(index, port) for _, _, index, port in counts.ports}
    never = [
        f"`{node.id}:{port}`"
        for node in flow.nodes
        for port in node.outs
        if node.outs[port] and (node.index, port) not in taken
    ]
    said = "Counted exactly, whatever is kept; counts are up to two seconds old."
    return f"{said} Never taken: {', '.join(never[:8])}{' …' if len(never) > 8 else ''}." if never else said


def _drawn(flow: Flow, here: str, selected: str, counts: RunTotals) -> tuple[Markup | None, str, bool]:
    try:
        drawn = picture(flow)
    except TooManyNodes as error:
        return None, f"{error}. The source shows all of them.", False

    def address(node: PicturedNode) -> str:
        id = node.id.rpartition(".")[2]
        return f"{link(here, node=id)}#node-{id}"

    edges = _edge_counts(flow, counts)
    most = max([sum(count for _, count in ports) for ports in edges.values()], default=1)
    widths = {
        edge: (1.5 + 10 * sum(count for _, count in ports) / most, _edge_text(ports)) for edge, ports in edges.items()
    }
    return svg(drawn, link=address, selected=selected, widths=widths if edges else None), "", drawn.width > WIDE


def _edge_text(ports: list[tuple[str, int]]) -> str:
    return " · ".join(f"{'' if port == 'done' else f'{port} '}{count:,}" for port, count in sorted(ports))

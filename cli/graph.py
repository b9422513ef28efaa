"""`headrace graph`: draws a flow, also with the path of a run, as SVG, Mermaid or DOT."""

import asyncio
from pathlib import Path
from typing import Literal

from rich.console import Console

from api.picture.layout import TooManyNodes, picture
from api.picture.svg import svg
from api.picture.taken import Taken, taken
from api.picture.text import dot, mermaid
from cli.document import Document
from cli.location import DataLocation
from cli.store import CommandError, load_and_report, report_error
from cli.stored_pages import found_documents
from engine.flow.plan import Flow
from engine.problem import did_you_mean

Format = Literal["svg", "mermaid", "dot"]


def draw_flow(
    name: str, run: str | None, format: Format, output: Path | None, location: DataLocation, error: Console
) -> int:
    """Write the drawing to a file, or to standard output. Exit code 2: there is no such flow or run."""
    try:
        loaded = load_and_report(location.root, error, whole=False)
        flow = next((each for each in loaded.project.flows if each.name == name), None)
        if flow is None:
            known = did_you_mean(name, [each.name for each in loaded.project.flows])
            raise CommandError(f"The project has no flow `{name}`, or it has errors: {known}")
        path = None if run is None else _path(run, flow, location, error)
        text = _drawing(flow, path, format)
    except (CommandError, TooManyNodes) as failure:
        return report_error(error, str(failure))
    if output is None:
        print(text, end="")  # noqa: T201
    else:
        output.write_text(text)
    return 0


def _path(id: str, flow: Flow, location: DataLocation, error: Console) -> Taken:
    """Return the path of a run. Raises `CommandError`."""

    async def find() -> Document | None:
        quoted = id.replace("\\", "\\\\").replace('"', '\\"')
        async for run in found_documents(location, "runs", f'id:"{quoted}"', error, 1):
            return run
        return None

    run = asyncio.run(find())
    if run is None:
        raise CommandError(f"There is no run {id}.")
    if run["flow"] != flow.name:
        raise CommandError(f"Run {id} is one of the flow `{run['flow']}`.")
    if not flow.version.startswith(run["version"][:16]):
        raise CommandError(f"Run {id} is one of an earlier version of the flow; the console draws that.")
    return taken(run)


def _drawing(flow: Flow, path: Taken | None, format: Format) -> str:
    node = flow.all_nodes.get(path.end[0]) if path is not None and path.end is not None else None
    end = path.end if path is not None and node is not None and "failed" in node.fatal else None
    drawn = picture(flow, end)
    if format == "svg":
        return f"{svg(drawn, path, standalone=True)}\n"
    return mermaid(drawn, path) if format == "mermaid" else dot(drawn, path)

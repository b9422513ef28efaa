"""`/console/runs/ID`: a run, with the path that it took through its flow, its steps and what came of it."""

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from markupsafe import Markup
from msgspec import Struct

from api.access.option import access
from api.console.pages.runs import TAB
from api.console.run_view import Document, RunView, first_failure, view_of
from api.console.site import Site, link, path_of
from api.console.steps import StepRow, rows_of
from api.picture.layout import PicturedNode, TooManyNodes, picture
from api.picture.svg import svg
from api.picture.taken import Taken, taken
from api.serialize import serialize_run
from engine.flow.plan import Flow
from engine.ports.records import RunRecord
from engine.ports.replay import REPLAYS
from engine.tracking.pipeline.flow_versions import FlowVersions

_KEPT = {
    "failed": "kept, since it failed",
    "failed-port": "kept, since a node left by failed",
    "logged": "kept, since it logged a warning or an error",
    "debugged": "kept, since it was debugged",
    "sampled": "kept as part of a sample",
    "paused": "kept, since it waits",
}


class Sentence(Struct, frozen=True):
    """A box above the steps: what happened, and what to do about it."""

    text: str
    kind: str = ""
    more: str = ""
    remedy: str = ""


class Share(Struct, frozen=True):
    """A line of `Where the time went`: pieces of 300 px, each with its beginning and its width."""

    name: str
    us: float
    kind: str
    pieces: list[tuple[float, float]]


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handler of the page of a run."""
    versions = FlowVersions(site.store, lambda: site.project)

    @get(f"{TAB}/{{id:str}}", include_in_schema=False, opt=access("viewer"))
    async def run(request: Request[Any, Any, Any], id: FromPath[str], step: FromQuery[str] = "") -> Response[str]:
        record = await site.store.run(id)
        if record is None:
            raise NotFoundException(f"there is no run {id}: it was not kept, or it is older than the retention")
        document = site.shown(request, serialize_run(record))
        flow = await versions.find(record.flow, record.version)
        shown, path = view_of(document), taken(document)
        drawn, no_graph = _drawn(flow, path, shown, step)
        raw = msgspec.json.format(msgspec.json.encode(document), indent=1).decode()
        return site.page(
            request,
            "run.html",
            tab=TAB,
            run=shown,
            headline=headline(document),
            sentences=list(_sentences(document, flow, site)),
            graph=drawn,
            no_graph=no_graph,
            steps=rows_of(document),
            selected=step,
            ran=len(path.nodes),
            total=len(flow.all_nodes) if isinstance(flow, Flow) else len(path.nodes) + len(document.get("not_run", ())),
            not_run=document.get("not_run", ()),
            where=_where(document),
            changes=_changes(document),
            versions=_versions(document),
            kept=_KEPT.get(str(document.get("kept", "")), ""),
            raw=raw if len(raw) < 400_000 else raw[:400_000] + "\n…",
            raw_size=f"{len(raw) / 1000:.1f} KB",
            replay_link=link("/console/replay", run=record.id) if record.recording is not msgspec.UNSET else "",
            download=f"/runs/{record.id}",
            **await _lineage(site, record),
            older="",
            newer="",
        )

    return [run]


async def _lineage(site: Site, record: RunRecord) -> dict[str, Any]:
    """Return the addresses of the run that this one does again, and of the run that does this one again."""
    again = await site.store.record(REPLAYS, record.id) if record.outcome == "failed" else None
    return {
        "replay_of": path_of("runs", record.replay_of) if record.replay_of else "",
        "replayed_by": path_of("runs", again.run) if again is not None else "",
    }


def headline(document: Document) -> str:
    """Return the answer of the page: what became of the run, and the first failure in one sentence."""
    node, why = first_failure(document)
    outcome, flow = document["outcome"], document["flow"]
    if outcome == "failed":
        return f"{flow} failed at {node}: {why}" if node else f"{flow} failed: {why}"
    if outcome == "finished" and node:
        return f"{flow} finished, though {node} failed: {why}"
    words = {"paused": "waits", "timed-out": "took too long", "handed-over": "handed the session over"}
    return f"{flow} {words.get(outcome, outcome)}"


def _sentences(document: Document, flow: Flow | str, site: Site) -> Iterator[Sentence]:
    node, _ = first_failure(document)
    if document["outcome"] == "failed":
        planned = flow.all_nodes.get(node) if isinstance(flow, Flow) else None
        step = next((each for each in document.get("steps", ()) if each["node"] == node), None)
        if step is not None and planned is not None and "failed" in planned.fatal:
            yield Sentence(
                f"Its port `failed` leads nowhere (line {planned.line}), so the run failed and all that it did was "
                "dropped.",
                "bad",
                "The event is kept, and the profile shows none of it.",
                "Remedy: wire it, so that the flow says what happens then: `next: {…, failed: NODE}`.",
            )
        else:
            yield Sentence("The run failed, and all that it did was dropped.", "bad", "The event is kept.")
    elif node:
        yield Sentence(f"{node} left by `failed`, and the flow went on from there.", "mind")
    current = next((each for each in site.project.flows if each.name == document["flow"]), None)
    if current is None:
        yield Sentence("The project has no flow of this name any more.", "mind")
    elif not current.version.startswith(document["version"][:16]):
        yield Sentence(f"The flow has changed since: version {current.version[:8]} is served now.")


def _drawn(flow: Flow | str, path: Taken, run: RunView, selected: str) -> tuple[Markup | None, str]:
    if isinstance(flow, str):
        return None, f"There is no picture: {flow}."
    fatal = path.end is not None and (node := flow.all_nodes.get(path.end[0])) is not None and "failed" in node.fatal
    try:
        drawn = picture(flow, path.end if fatal else None)
    except TooManyNodes as error:
        return None, f"{error}. The steps show what ran."

    def address(node: PicturedNode) -> str:
        number = path.nodes.get(node.id, (0,))[0]
        return link(run.link, step=number) + f"#step-{number}" if number else "#not-run"

    chosen = next((id for id, (number, _) in path.nodes.items() if str(number) == selected), "")
    return svg(drawn, path, link=address, selected=chosen), ""


def _where(document: Document) -> list[Share]:
    """Return where the time of a run went: in its steps, and for each node that asked in asking and pausing."""
    total = float(document.get("duration_us") or 0)
    steps = document.get("steps", ())
    if total < 1000 or not any(step.get("calls") for step in steps):
        return []
    own = sum(float(step.get("us", 0)) for step in steps)
    shares = [Share("its steps", own, "c-water", [(0.0, max(2.0, 300 * own / total))])]
    for step in steps:
        calls = [call for call in step.get("calls", ()) if call.get("took_ms")]
        if calls:
            pieces = [
                (
                    min(298.0, 300 * call.get("at_us", 0) / total),
                    max(2.0, min(300.0, 300_000 * call["took_ms"] / total)),
                )
                for call in calls
            ]
            kind = "c-fail" if step["port"] == "failed" else "c-water"
            shares.append(Share(f"{step['node']}, asking", 1000.0 * sum(c["took_ms"] for c in calls), kind, pieces))
    return shares


class Changed(Struct, frozen=True):
    """A path that the run changed, and whether the change was kept."""

    path: str
    text: str
    kept: bool


def _changes(document: Document) -> list[Changed]:
    kept = document["outcome"] != "failed"
    found: list[Changed] = []
    for row in _all_rows(rows_of(document)):
        found += [
            Changed(each.subject, f"{each.sign} {each.text}", kept)
            for each in row.changes
            if each.subject.partition(".")[0] in {"traits", "pii", "segments", "consents", "counts"} and not each.bond
        ]
    return found


def _all_rows(rows: list[StepRow]) -> Iterator[StepRow]:
    for row in rows:
        yield row
        for turn in row.turns:
            yield from _all_rows(turn.steps)


def _versions(document: Document) -> list[int]:
    profile = document.get("profile")
    return profile.get("version", []) if isinstance(profile, dict) else []

"""`headrace profile timeline`: what became of a profile, from its events to the deliveries for it."""

import asyncio
from collections.abc import Iterator
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from api.timeline import serialize_timeline
from cli.call import call
from cli.console import print_lines
from cli.document import Document, to_document, write_document
from cli.links import show_side, show_time
from cli.location import DataLocation, project_and_store
from cli.store import CommandError, opened_store, report_error, report_not_found
from cli.traces import path, short
from effects.clock import SystemClock
from engine.ports.resolve import NotFound
from engine.tracking.operations.key_search import profile_of
from engine.tracking.operations.timeline import timeline

QUIET, BAD, BOND = "dim", "bold red", "magenta"


def show_timeline(
    wanted: str, location: DataLocation, before: int | None, json: bool, console: Console, error: Console
) -> int:
    """Print the timeline of the profile that an id or a key leads to. `before` is a time in ms.

    Exit code 1 when there is no such profile, 2 when neither server nor store can be read.
    """
    try:
        found = _read(wanted, location, before, error)
    except NotFound as not_found:
        return report_not_found(error, not_found)
    except CommandError as failure:
        return report_error(error, str(failure))
    if json:
        write_document(found)
    else:
        print_lines(console, timeline_lines(found))
    return 0


def _read(wanted: str, location: DataLocation, before: int | None, error: Console) -> Document:
    if (server := location.server()) is not None:
        id = call(server, "POST", "/profiles/find", {"text": wanted})["profile"]
        query = f"?before={before}" if before is not None else ""
        answer: Document = call(server, "GET", f"/profiles/{quote(id, safe='')}/timeline{query}")
        return answer
    project, url = project_and_store(location, error)

    async def read() -> Document:
        async with opened_store(url, location.root) as store:
            profile = await profile_of(store, project.settings.keys, wanted)
            if profile is None:
                raise NotFound(f"no profile has the id or the key {wanted}")
            found = await timeline(store, project, profile, SystemClock().now(), before)
            return serialize_timeline(profile.id, found)

    return to_document(asyncio.run(read()))


def timeline_lines(found: Document) -> Iterator[Text]:
    """Yield the lines of a timeline, the newest first."""
    yield Text.assemble(("Timeline of ", "bold"), (found["profile"], "bold"))
    for entry in found["entries"]:
        yield from _lines(entry)
    if not found["entries"]:
        yield Text("  nothing is kept of it")
    if found["before"] is not None:
        yield Text(f"  There is more: --before {found['before']}", QUIET)
    if found["partial"]:
        yield Text(
            "  Old deliveries and rejected events may be missing: the store was not looked through to its end", QUIET
        )


def _lines(entry: Document) -> Iterator[Text]:
    at, what = (f"  {show_time(entry['at'])}  ", QUIET), entry[entry["kind"]]
    match entry["kind"]:
        case "event":
            yield Text.assemble(at, (what["type"], "bold"), f"  {_properties(what)}", (_origin(what), QUIET))
            for run in entry["runs"]:
                if "steps" in run or run["outcome"] != "not-triggered":
                    yield _run(run)
        case "segment":
            yield Text.assemble(at, "entered ", (str(what["segment"]), "cyan"))
        case "link":
            joined = "two ids became one person" if "held" in what else "known"
            yield Text.assemble(at, (f"{joined} by the {show_side(what['right'])}", BOND), f"  link {what['link']}")
        case "undone":
            yield Text.assemble(at, (f"the link to the {show_side(what['right'])} was undone", BOND))
        case "delivery":
            reason = (what.get("last") or {}).get("reason", "")
            style = BAD if what["state"] == "dead" else ""
            yield Text.assemble(at, (f"delivery to {what['target']}: {what['state']}", style), f"  {reason}")
        case "wait":
            yield Text.assemble(at, f"{what['flow']} waits until {show_time(what['until'])}")
        case "rejected":
            yield Text.assemble(at, ("rejected: ", BAD), what["reason"])


def _run(run: Document) -> Text:
    line = Text(" " * 23).append(f"{run['flow']} ", "cyan")
    line.append_text(path(run)) if "steps" in run else None
    if run["outcome"] != "finished":
        line.append(f" {run['outcome']}", BAD if run["outcome"] == "failed" else QUIET)
    return line


def _properties(event: Document) -> str:
    return " ".join(f"{name}={short(value)}" for name, value in list(event.get("properties", {}).items())[:4])


def _origin(event: Document) -> str:
    return {"system": "  from the system", "flow": "  from a flow"}.get(event.get("origin", ""), "")

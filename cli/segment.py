"""`headrace segment explain`: whether a profile belongs to a segment, and why."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from cli.call import call
from cli.console import print_lines
from cli.document import Document, to_document, write_document
from cli.location import DataLocation, project_and_store
from cli.store import CommandError, opened_store, report_error, report_not_found
from cli.traces import short
from effects.clock import SystemClock
from engine.ports.resolve import NotFound, require_profile
from engine.project.explanation import NoSuchSegment, explain_segment


def explain(id: str, segment: str, location: DataLocation, json: bool, console: Console, error: Console) -> int:
    """Show a profile's membership of a segment. Exit code 1 when there is no such profile or segment."""
    try:
        explanation = _explanation(id, segment, location, error)
    except (NotFound, NoSuchSegment) as unknown:
        return report_not_found(error, unknown)
    except CommandError as failure:
        return report_error(error, str(failure))
    if json:
        write_document(explanation)
        return 0
    print_lines(console, _lines(explanation))
    return 0


def _explanation(id: str, segment: str, location: DataLocation, error: Console) -> Document:
    if (server := location.server()) is not None:
        path = f"/profiles/{quote(id, safe='')}/segments/{quote(segment, safe='')}"
        response: Document = call(server, "GET", path)
        return response
    project, url = project_and_store(location, error)

    async def read() -> Document:
        async with opened_store(url, location.root) as store:
            profile = await require_profile(store, id)
            return explain_segment(project, profile, segment, SystemClock().now())

    return to_document(asyncio.run(read()))


def _lines(explanation: Document) -> Iterator[Text]:
    name, profile = (explanation["segment"], "bold"), (explanation["profile"], "bold")
    belongs = ("belongs to ", "green") if explanation["member"] else ("does not belong to ", "yellow")
    since = f"  since {_time(explanation['since'])}" if explanation["since"] else ""
    yield Text.assemble("Profile ", profile, " ", belongs, name, (since, "dim"))
    if explanation["description"]:
        yield Text(f"  {explanation['description']}", "dim")
    if "condition" not in explanation:
        yield Text("  It is filled by hand: by `segment.add` and `segment.remove` in flows.")
        return
    yield Text(f"  condition: {explanation['condition']}")
    for path, value in explanation["values"].items():
        text = value if value == "absent" else short(value)
        yield Text(f"    {path} = {text}{_as_time(value)}", "dim")
    holds = "holds" if explanation["holds"] else "does not hold"
    yield Text(f"  It {holds} now.{_windows(explanation)}")
    if explanation["late"]:
        yield Text("  Time has changed this since the last evaluation; a running server will update it.", "yellow")
    yield Text(f"  {_next_change(explanation['due'])}")


def _windows(explanation: Document) -> str:
    """Sentences about `for` and `within`, each with a space in front; empty for a segment without a window."""
    text = ""
    if "for" in explanation:
        since = explanation["holds_since"]
        text += f" It must have held for {explanation['for']}"
        text += f": it has since {_time(since)}." if since else "."
    if "within" in explanation:
        until = explanation["held_until"]
        text += f" A member stays for {explanation['within']} after that"
        text += f": it held until {_time(until)}." if until else "."
    return text


def _next_change(moment: int | None) -> str:
    if moment is None:
        return "Time alone will not change this."
    return f"Time alone may change this at {_time(moment)}, not before."


def _as_time(value: Any) -> str:
    """The time that a number stands for, if it may be one: milliseconds from 2001 to 2286."""
    return f"  ({_time(value)})" if type(value) is int and 10**12 <= value < 10**13 else ""


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")

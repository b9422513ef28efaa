"""`headrace segment`: whether a profile belongs to a segment, and why."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from rich.console import Console
from rich.text import Text

from cli.call import call
from cli.profile import Where, stored
from cli.store import CannotStart, cannot, opened
from cli.traces import short
from effects.clock import SystemClock
from engine.ports.resolve import resolve_profile
from engine.project.explanation import NoSuchSegment, explain_segment


def explain(id: str, segment: str, where: Where, json: bool, console: Console, error: Console) -> int:
    """Show how a profile stands with a segment. Exit code 1 when there is no such profile or segment."""
    try:
        found = _asked(id, segment, where, error)
    except (NoSuchSegment, LookupError) as unknown:
        error.print(f"{str(unknown.args[0])[:1].upper()}{str(unknown.args[0])[1:]}", markup=False, soft_wrap=True)
        return 1
    except CannotStart as refused:
        return cannot(error, str(refused))
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
        return 0
    for line in _lines(found):
        console.print(line, soft_wrap=True)
    return 0


def _asked(id: str, segment: str, where: Where, error: Console) -> dict[str, Any]:
    if where.url is not None:
        path = f"/profiles/{quote(id, safe='')}/segments/{quote(segment, safe='')}"
        answered: dict[str, Any] = call(where.url, "GET", path)
        return answered
    project, url = stored(where, error)

    async def read() -> dict[str, Any]:
        async with opened(url, where.root) as store:
            profile = await resolve_profile(store, id)
            if profile is None:
                raise LookupError(f"nobody has the id {id}; `headrace search profiles` lists those that there are.")
            return explain_segment(project, profile, segment, SystemClock().now())

    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(asyncio.run(read())))
    return plain


def _lines(found: dict[str, Any]) -> Iterator[Text]:
    name, profile = (found["segment"], "bold"), (found["profile"], "bold")
    belongs = ("belongs to ", "green") if found["member"] else ("does not belong to ", "yellow")
    since = f"  since {_time(found['since'])}" if found["since"] else ""
    yield Text.assemble("Profile ", profile, " ", belongs, name, (since, "dim"))
    if found["description"]:
        yield Text(f"  {found['description']}", "dim")
    if "condition" not in found:
        yield Text("  It is filled by hand: by `segment.add` and `segment.remove` in flows.")
        return
    yield Text(f"  condition: {found['condition']}")
    for read, value in found["values"].items():
        shown = value if value == "absent" else short(value)
        yield Text(f"    {read} = {shown}{_as_time(value)}", "dim")
    holds = "holds" if found["holds"] else "does not hold"
    yield Text(f"  It {holds} now.{_windows(found)}")
    if found["late"]:
        yield Text("  Time has changed this since it was last looked at; a running server notices.", "yellow")
    yield Text(f"  {_due(found['due'])}")


def _windows(found: dict[str, Any]) -> str:
    told = ""
    if "for" in found:
        told += f" It must have held for {found['for']}"
        told += f": it has since {_time(found['holds_since'])}." if found["holds_since"] else "."
    if "within" in found:
        told += f" Who belongs stays for {found['within']} after that"
        told += f": it held until {_time(found['held_until'])}." if found["held_until"] else "."
    return told


def _due(moment: int | None) -> str:
    if moment is None:
        return "Time alone will not change this."
    return f"Time alone may change this at {_time(moment)}, not before."


def _as_time(value: Any) -> str:
    """What a number would be as a time, where it may be one: from 2001 to 2286."""
    return f"  ({_time(value)})" if type(value) is int and 10**12 <= value < 10**13 else ""


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")

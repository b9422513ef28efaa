"""The starter's sample of events: the documents and segments that must result from it, and clients that send it."""

from collections.abc import Iterator
from typing import Any

import aiohttp
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

Document = dict[str, Any]
SegmentChange = tuple[str, str, bool]  # visitor, segment, whether the profile entered it

# The counts that the server must have after the sample; `tests/flows/test_starter.py` checks them without a server.
EVENTS = {"received": 55, "stored": 51, "processed": 2, "rejected": 1, "duplicate": 1, "queued": 0}
STORED = {"profiles": 7, "sessions": 15, "events": 67, "rejected": 1}

# The segments that the visitors' profiles must enter (True) and leave, in the order of the answers.
SEGMENT_CHANGES: tuple[SegmentChange, ...] = (
    ("bo", "newsletter-readers", True),
    ("ann", "cart-abandoners", True),
    ("ann", "cart-abandoners", False),
    ("cem", "big-spenders", True),
    ("cem", "vip", True),
    ("ann-phone", "big-spenders", True),
    ("ann-phone", "regulars", True),
    ("ann-phone", "vip", True),
    ("gus", "big-spenders", True),
    ("gus", "vip", True),
    ("dora", "big-spenders", True),
    ("bo", "cart-abandoners", True),
    ("bo", "regulars", True),
    ("ann", "newsletter-readers", True),
)


class Exchange(Struct, frozen=True):
    """A request of the sample and the server's answer. `to` is its path, `note` the author's remark about it."""

    to: str
    visitor: str
    note: str
    status: int
    answer: Document


async def send_sample(lines: list[Document], client: aiohttp.ClientSession, console: Console) -> list[Exchange]:
    """Send the lines of the sample, each with the profile id that the server first answered to its visitor."""
    ids: dict[str, str] = {}
    exchanges: list[Exchange] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        for line in progress.track(lines, description="Sending the sample through /track"):
            body = _request_body(line, ids)
            async with client.post(line["to"], json=body) as response:
                answer = await response.json(content_type=None)
            _add_types(answer, body)
            exchange = Exchange(line["to"], line["visitor"], line.get("note", ""), response.status, answer)
            exchanges.append(exchange)
            ids |= profile_ids([exchange])
    return exchanges


def profile_ids(exchanges: list[Exchange]) -> dict[str, str]:
    """The profile id of each visitor, from the last answer that contains one."""
    answered = ((exchange.visitor, exchange.answer.get("profile", {}).get("id")) for exchange in exchanges)
    return {visitor: id for visitor, id in answered if id is not None}


def segment_changes(exchanges: list[Exchange]) -> Iterator[list[SegmentChange]]:
    """For each request the segments that its profile entered and left, by comparing answers under one profile id.

    A visitor whose profile is merged into another takes on that one's segments, which is no change.
    """
    known: dict[str, set[str]] = {}
    for exchange in exchanges:
        id, debugging = exchange.answer.get("profile", {}).get("id"), exchange.answer.get("debugging")
        if id is None or debugging is None:
            yield []
            continue
        before, now = known.get(id, set()), set(debugging["segmentation"]["ids"])
        took_effect = bool(debugging["profile"]["ids"])
        known[id] = now if took_effect else before
        yield [(exchange.visitor, name, name in now) for name in sorted(before ^ now)] if took_effect else []


def _request_body(line: Document, ids: dict[str, str]) -> Document:
    """The body of a line, with the visitor's profile id and the request for a trace, as trackers add them."""
    body: Document = line["body"]
    if not line["to"].startswith("/track"):
        return body
    profile = {"profile": {"id": ids[line["visitor"]]}} if line["visitor"] in ids else {}
    return {**body, **profile, "options": {**body.get("options", {}), "debugger": True}}


def _add_types(answer: Document, body: Document) -> None:
    """Add the types of events that took no effect: the answer leaves them out, and the sender knows them."""
    for event in answer.get("debugging", {}).get("execution", {}).values():
        if "type" not in event and isinstance(type := body["events"][event["index"]].get("type"), str):
            event["type"] = type

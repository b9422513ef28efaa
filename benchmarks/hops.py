"""Counts the files that a warm `/track` request enters before its commit, and how often it moves between them.

The request is a `page-view` of the starter project from a known session, on a memory store, debugger off. Calls of
functions of this repository are counted from the ASGI entry of `/track` up to the entry of `Store.commit`. A *hop* is a
call that is in another file than the call before it. Coroutines and generators that continue are no calls.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

from litestar.types import ASGIApp

import nodes
from api.tracking.track import track_app
from effects.clock import SystemClock
from effects.ids import new_id
from effects.scripted import ScriptedPerformer
from engine.ports.records import Unit
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from flows.project import load_project
from storage.memory import MemoryStore

CHECKOUT = Path(__file__).resolve().parent.parent
STARTER = CHECKOUT / "flows" / "starter"
PAGE_VIEW = {"page": "/wheels"}
WARM_REQUESTS = 5  # the first one makes the session and its profile; the fifth makes a keen visitor


@dataclass
class Walk:
    """The files of the calls of one request, in order; each relative to this checkout."""

    calls: list[str] = field(default_factory=list)

    @property
    def files(self) -> frozenset[str]:
        """The files that were entered."""
        return frozenset(self.calls)

    @property
    def hops(self) -> list[tuple[str, str]]:
        """The hops, each from a file to another."""
        return [(one, other) for one, other in pairwise(self.calls) if one != other]


class Tracer:
    """A profile function of `sys.setprofile` that fills a walk."""

    def __init__(self) -> None:
        self.walk = Walk()
        self._names: dict[str, str | None] = {}

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        """Note a call of a function of this repository."""
        if event == "call" and not _continues(frame) and (file := self._name(frame)) is not None:
            self.walk.calls.append(file)

    def _name(self, frame: FrameType) -> str | None:
        file = frame.f_code.co_filename
        if file not in self._names:
            path = Path(file)
            inside = path.is_relative_to(CHECKOUT) and ".venv" not in path.parts and path != Path(__file__).resolve()
            self._names[file] = str(path.relative_to(CHECKOUT)) if inside else None
        return self._names[file]


def _continues(frame: FrameType) -> bool:
    """Whether the frame is a generator or coroutine that continues after a `yield` or `await`, which is no call."""
    return frame.f_code.co_code[frame.f_lasti + 1] != 0  # the argument of RESUME: 0 only at the start of a function


class MarkedStore(MemoryStore):
    """A memory store whose `commit` ends the count. `sampled` says whether the last unit's trace is kept."""

    sampled = False

    async def commit(self, unit: Unit) -> None:
        sys.setprofile(None)
        self.sampled = bool(unit.runs)
        await super().commit(unit)


async def walk_of_page_view() -> Walk:
    """Send a `page-view` of the starter project until its session is known, then count one more.

    Of some events, chosen by their ids, a trace is kept as a sample. Those go further, and are not counted.
    """
    project = load_project(STARTER, nodes.builtin(), {}).project
    store = MarkedStore()
    tracker = Tracker(Pipeline(project, store, ScriptedPerformer(), SystemClock(), new_id))
    await tracker.start()
    app = track_app(tracker)
    for _ in range(WARM_REQUESTS):
        await _send(app, None)
    while True:
        tracer = Tracer()
        await _send(app, tracer)
        if not store.sampled:
            return tracer.walk


async def _send(app: ASGIApp, tracer: Tracer | None) -> None:
    """Send one page view. Raises `RuntimeError` if it is not accepted."""
    event = {"type": "page-view", "properties": PAGE_VIEW}
    body = json.dumps({"source": {"id": "web-shop"}, "session": {"id": "s-1"}, "events": [event]}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope: Any = {"type": "http", "method": "POST", "path": "/track", "query_string": b"", "headers": headers}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    if tracer is not None:
        sys.setprofile(tracer)
    try:
        await app(scope, receive, send)
    finally:
        sys.setprofile(None)
    if sent[0]["status"] != 200:
        raise RuntimeError(f"the page view was not accepted: {sent}")


def main() -> int:
    """Print what one request entered."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hops", description=__doc__)
    parser.add_argument("--hops", action="store_true", help="list the hops from file to file, too")
    chosen = parser.parse_args()
    walk = asyncio.run(walk_of_page_view())
    print(f"{len(walk.files)} files, {len(walk.hops)} hops, {len(walk.calls)} calls")
    for file, count in Counter(walk.calls).most_common():
        print(f"{count:5} {file}")
    if chosen.hops:
        for (one, other), count in Counter(walk.hops).most_common():
            print(f"{count:5} {one} -> {other}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

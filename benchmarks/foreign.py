"""Compares events in Segment's batches, which mix persons, with the same events in payloads of one person each.

    python -m benchmarks.foreign [--events 100000]

The events are orders of many persons in random order, always the same ones. They go to two servers in turn, each
`headrace serve` of the six-node project on an empty SQLite store on loopback: as batches of 100 to `/v1/batch`, in the
order of the events, and as payloads of 100 to `/track`. Prints the events per second of both, the processor time that
the server used, and the ratios. Rates change with whatever else a machine does, processor time much less.
"""

import argparse
import base64
import hashlib
import json
import random
import selectors
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from benchmarks.orders import NotTaken, answer_body
from benchmarks.overload.served import PROJECT, serving

CHECKOUT = Path(__file__).resolve().parent.parent
SEED = 7
BATCH = 100  # events of a request
KEY = "key-of-the-benchmark"
SOURCE = {
    "source": "server",
    "kind": "secret",
    "key": hashlib.sha256(KEY.encode()).hexdigest(),
    "accepts": ["track", "segment"],
}
IDENTITY = {"user": "traits.user_id"}
PATIENCE = 60  # seconds for an answer


@dataclass(frozen=True)
class Order:
    """An event: its number, and whose it is."""

    number: int
    person: int

    def properties(self) -> dict[str, Any]:
        """The properties of its event."""
        return {"order": f"A-{self.number}", "total": 49.5, "tier": "gold", "currency": "EUR"}


@dataclass(frozen=True)
class Rate:
    """Events that were stored, the seconds that it took, and the processor time of the server, in seconds."""

    events: int
    seconds: float
    processor: float = 0.0

    @property
    def per_second(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    def __str__(self) -> str:
        microseconds = 1e6 * self.processor / self.events
        return f"{self.events:,} events, {self.per_second:,.0f} a second, {microseconds:.0f} µs of the processor each"


def orders(events: int, persons: int) -> list[Order]:
    """Return so many orders in a random order that is always the same; each person has as many, but for one."""
    made = [Order(number, number % persons) for number in range(events)]
    random.Random(SEED).shuffle(made)
    return made


def batches(made: Sequence[Order]) -> list[tuple[bytes, int]]:
    """Return Segment's requests for these orders, in their order, each with the number of its events."""
    authorization = f"Basic {base64.b64encode(f'{KEY}:'.encode()).decode()}"
    found = []
    for part in _parts(made):
        batch = [
            {
                "type": "track",
                "event": "order-completed",
                "messageId": f"order-{order.number}",
                "userId": f"person-{order.person}",
                "properties": order.properties(),
            }
            for order in part
        ]
        found.append((_request("/v1/batch", authorization, {"batch": batch}), len(part)))
    return found


def payloads(made: Sequence[Order], persons: int) -> list[tuple[bytes, int]]:
    """Return requests of `/track` for these orders, each of one person and with the number of its events.

    The persons take turns, so that neighbouring requests are of different persons, as they are of clients.
    """
    queues = [list(_parts([order for order in made if order.person == person])) for person in range(persons)]
    turns = [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]
    found = []
    for part in turns:
        events = [
            {"type": "order-completed", "id": f"order-{order.number}", "properties": order.properties()}
            for order in part
        ]
        payload = {"source": {"id": "server"}, "user": {"id": f"person-{part[0].person}"}, "events": events}
        found.append((_request("/track", f"Bearer {KEY}", payload), len(part)))
    return found


def _parts(made: Sequence[Order]) -> Iterable[Sequence[Order]]:
    return (made[start : start + BATCH] for start in range(0, len(made), BATCH))


def _request(path: str, authorization: str, body: dict[str, Any]) -> bytes:
    data = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: {authorization}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def send(address: str, requests: Sequence[tuple[bytes, int]], connections: int, seconds: float) -> Rate:
    """Send requests over connections, each the next one as soon as its last one is answered; at most so many seconds.

    Raises `NotTaken` at the first that is not answered by 200.
    """
    place = urlsplit(address)
    taken = 0
    with ExitStack() as stack, selectors.DefaultSelector() as waiting:
        sockets = [
            stack.enter_context(socket.create_connection((place.hostname, place.port), timeout=PATIENCE))
            for _ in range(min(connections, len(requests)))
        ]
        begin = time.perf_counter()
        left = takewhile(lambda _: time.perf_counter() - begin < seconds, requests)
        for each, (request, events) in zip(sockets, left, strict=False):
            each.sendall(request)
            waiting.register(each, selectors.EVENT_READ, (each, events))
        while waiting.get_map():
            ready = waiting.select(PATIENCE)
            if not ready:
                raise NotTaken(f"the server did not answer within {PATIENCE} s")
            for key, _ in ready:
                each, events = key.data
                answer_body(each)
                taken += events
                waiting.unregister(each)
                for request, more in islice(left, 1):
                    each.sendall(request)
                    waiting.register(each, selectors.EVENT_READ, (each, more))
        return Rate(taken, time.perf_counter() - begin)


def check_stored(database: Path, events: int) -> None:
    """Raise `NotTaken` unless so many events of clients are stored: Segment's answers name no rejected event."""
    with closing(sqlite3.connect(database)) as connection:
        (stored,) = connection.execute("SELECT count(*) FROM events WHERE doc ->> 'origin' IS NULL").fetchone()
    if stored != events:
        raise NotTaken(f"the server took {events:,} events, and stored {stored:,}")


def measure(requests: Sequence[tuple[bytes, int]], connections: int, seconds: float) -> Rate:
    """Return the rate at which a fresh server stores these requests. Raises `NotTaken`."""
    with tempfile.TemporaryDirectory(prefix="headrace-foreign-") as directory:
        project = write_project(Path(directory) / "project")
        database = Path(directory) / "store.db"
        with serving(CHECKOUT, database, project) as served:
            begin = served.cpu()
            rate = send(served.address, requests, connections, seconds)
            rate = replace(rate, processor=served.cpu() - begin)
            check_stored(database, rate.events)
            return rate


def write_project(root: Path) -> Path:
    """Copy the six-node project, and add a secret source and the key of users."""
    shutil.copytree(PROJECT, root)
    settings = root / "headrace.yaml"
    settings.write_text(settings.read_text() + yaml.safe_dump({"identity": IDENTITY}))
    (root / "sources" / "server.yaml").write_text(yaml.safe_dump(SOURCE))
    return root


def main() -> int:
    """Measure both, and print the rates and their ratio; returns 1 if a request is not taken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.foreign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--persons", type=int, default=500)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120, help="the longest time of each of the two loads")
    chosen = parser.parse_args()
    made = orders(chosen.events, chosen.persons)
    try:
        track = measure(payloads(made, chosen.persons), chosen.connections, chosen.seconds)
        print(f"/track, payloads of one person each: {track}")
        segment = measure(batches(made), chosen.connections, chosen.seconds)
        print(f"Segment, batches that mix {chosen.persons} persons: {segment}")
    except NotTaken as failure:
        print(failure, file=sys.stderr)
        return 1
    ratio = segment.per_second / track.per_second
    processor = (track.processor / track.events) / (segment.processor / segment.events)
    print(f"ratio: {ratio:.2f} by the clock, {processor:.2f} by the processor time of the server")
    return 0


if __name__ == "__main__":
    sys.exit(main())

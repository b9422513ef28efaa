"""The comparison of Segment's batches with payloads of `/track`: both have the same events, and a server takes them."""

import json
import re
import sqlite3
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks import foreign
from benchmarks.foreign import BATCH, batches, check_stored, orders, payloads, send
from benchmarks.orders import NotTaken

PERSONS = 7


def bodies(requests: list[tuple[bytes, int]]) -> list[dict[str, Any]]:
    """The bodies of requests."""
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request, _ in requests]


def test_both_series_have_the_same_events_of_the_same_persons() -> None:
    made = orders(950, PERSONS)
    in_batches = {
        (event["messageId"], event["userId"], str(event["properties"]))
        for body in bodies(batches(made))
        for event in body["batch"]
    }
    in_payloads = {
        (event["id"], body["user"]["id"], str(event["properties"]))
        for body in bodies(payloads(made, PERSONS))
        for event in body["events"]
    }
    assert in_batches == in_payloads
    assert len(in_batches) == 950


def test_a_series_is_in_requests_of_100_at_most_and_the_same_each_time() -> None:
    for series in (batches(orders(950, PERSONS)), payloads(orders(950, PERSONS), PERSONS)):
        assert sum(events for _, events in series) == 950
        assert max(events for _, events in series) == BATCH
    assert batches(orders(950, PERSONS)) == batches(orders(950, PERSONS))
    assert len({event["userId"] for event in bodies(batches(orders(950, PERSONS)))[0]["batch"]}) == PERSONS


class Unavailable(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(503)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_a_request_that_is_not_taken_ends_the_comparison() -> None:
    with HTTPServer(("127.0.0.1", 0), Unavailable) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        with pytest.raises(NotTaken, match="503"):
            send(f"http://127.0.0.1:{server.server_port}", batches(orders(300, PERSONS)), 1, 10)
        answering.join()


def test_events_that_were_taken_and_are_not_stored_end_the_comparison(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        connection.execute("CREATE TABLE events (doc)")
        connection.executemany("INSERT INTO events VALUES (?)", [("{}",), ('{"origin": "system"}',)])
        connection.commit()
    check_stored(tmp_path / "store.db", 1)
    with pytest.raises(NotTaken, match="took 2 events, and stored 1"):
        check_stored(tmp_path / "store.db", 2)


def test_a_comparison_prints_both_rates_and_their_ratio(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["foreign", "--events", "400", "--persons", "7", "--connections", "2"])
    assert foreign.main() == 0
    printed = capsys.readouterr().out
    assert printed.count("400 events") == 2
    assert re.search(r"^ratio: \d+\.\d\d by the clock, \d+\.\d\d by the processor time", printed, re.MULTILINE)

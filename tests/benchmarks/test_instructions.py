"""Counting instructions: what is sent, how dumps are read, the arithmetic, and one small count of a real server."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.callgrind import CannotCount, Count, parse_dump
from benchmarks.instructions import CASES, Checkout, Result, table_of
from benchmarks.orders import Connections, NotTaken, Orders

ROOT = Path(__file__).parents[2]
DUMP = """# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 42
cmd:  python headrace serve
part: 1
thread: 2


desc: I1 cache:
desc: Trigger: Client Request

positions: line
events: Ir
summary: 1205


fn=(1) first
10 1000
fn=(2) second
20 234

totals: 1234
"""


def result(*totals: int, folder: str = "a") -> Result:
    """A result of 10 events; a fifth of each count is in another thread."""
    counts = tuple(Count({1: total * 4 // 5, 2: total // 5}) for total in totals)
    return Result(CASES[0], Checkout(Path(folder), Path(folder)), 10, counts)


def printed(*results: Result) -> str:
    out = StringIO()
    Console(file=out, width=200).print(table_of(results))
    return out.getvalue()


def sent_by(orders: Orders, number: int) -> list[tuple[bytes, dict[str, Any]]]:
    """Heads and decoded bodies of the next requests."""
    parts = [orders.request(49.5).split(b"\r\n\r\n", 1) for _ in range(number)]
    return [(head, json.loads(body)) for head, body in parts]


@contextmanager
def shop(status: int) -> Iterator[tuple[int, list[bytes], set[Any]]]:
    """A server that answers every request with a status; its port, the bodies and the clients that it has seen."""
    bodies: list[bytes] = []
    clients: set[Any] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            clients.add(self.client_address)
            self.send_response(status)
            self.send_header("content-length", "9")
            self.end_headers()
            self.wfile.write(b"try later")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port, bodies, clients
        finally:
            server.shutdown()
            thread.join()


def test_a_dump_says_which_thread_executed_how_many_instructions() -> None:
    assert parse_dump(DUMP) == (2, 1234)


@pytest.mark.parametrize(
    ("written", "instead"),
    [("thread: 2\n", ""), ("totals: 1234\n", ""), ("events: Ir\n", "events: Ir Dr Dw\n")],
    ids=["no thread", "no totals", "other events"],
)
def test_a_dump_of_another_form_is_refused(written: str, instead: str) -> None:
    with pytest.raises(CannotCount, match="not of the form"):
        parse_dump(DUMP.replace(written, instead))


def test_a_count_is_the_sum_of_all_threads() -> None:
    count = Count({1: 700, 2: 200, 4: 100})
    assert count.total == 1000
    assert count.other_threads == 300


def test_a_result_is_the_median_by_event_with_the_spread_of_its_counts() -> None:
    found = result(1000, 1100, 1020)
    assert found.per_event == 102
    assert found.other_threads == 20.4
    assert found.spread == pytest.approx(100 / 1020)


def test_a_single_count_has_no_spread() -> None:
    assert result(1000).spread == 0
    assert re.search(r"\b100 +- +20\b", printed(result(1000)))


def test_a_second_checkout_is_compared_with_the_first() -> None:
    shown = printed(result(1000, folder="before"), result(1050, folder="after"))
    assert re.search(r"before +100 +- +20 *$", shown, re.MULTILINE)
    assert re.search(r"after +105 +- +21 +\+5.0% *$", shown, re.MULTILINE)


def test_another_case_is_not_compared_with_the_first() -> None:
    shown = printed(result(1000), replace(result(2000, folder="b"), case=CASES[1]))
    assert "%" not in shown


def test_orders_are_the_same_at_every_start() -> None:
    assert sent_by(Orders(3, client_ids=True), 5) == sent_by(Orders(3, client_ids=True), 5)


def test_sessions_take_turns() -> None:
    sessions = [body["session"]["id"] for _, body in sent_by(Orders(3, client_ids=False), 6)]
    assert len(set(sessions)) == 3
    assert sessions[:3] == sessions[3:]


def test_only_events_of_the_client_id_case_have_an_id_and_each_another_one() -> None:
    plain = sent_by(Orders(1, client_ids=False), 2)
    own = sent_by(Orders(1, client_ids=True), 50)
    assert all("id" not in body["events"][0] for _, body in plain)
    assert len({body["events"][0]["id"] for _, body in own}) == 50


def test_exactly_the_asked_number_of_orders_is_sent_over_all_connections() -> None:
    answered: list[int] = []
    with shop(200) as (port, bodies, clients), Connections(port, 4) as connections:
        connections.send(Orders(1, client_ids=False), 11, 49.5, lambda: answered.append(1))
        assert len(bodies) == len(answered) == 11
        assert len({json.loads(body)["events"][0]["properties"]["order"] for body in bodies}) == 11
        assert len(clients) == 4


def test_fewer_orders_than_connections_are_sent_once_each() -> None:
    with shop(200) as (port, bodies, _), Connections(port, 4) as connections:
        connections.send(Orders(1, client_ids=False), 3, 49.5, lambda: None)
        assert len(bodies) == 3


def test_an_order_that_the_server_does_not_take_ends_the_count() -> None:
    with (
        shop(503) as (port, _, _),
        Connections(port, 2) as connections,
        pytest.raises(NotTaken, match="answered 503: try later"),
    ):
        connections.send(Orders(1, client_ids=False), 4, 49.5, lambda: None)


def test_without_valgrind_the_program_names_the_package_and_exits_with_2(tmp_path: Path) -> None:
    done = run("--events", "1", env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 2
    assert "install the package valgrind" in done.stderr


def test_a_checkout_without_headrace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "valgrind").symlink_to("/bin/echo")
    (tmp_path / "vgdb").symlink_to("/bin/echo")
    done = run("--root", str(tmp_path), env={**os.environ, "PATH": str(tmp_path), "COLUMNS": "500"})
    assert done.returncode == 2
    assert f"{tmp_path}/.venv/bin/python is missing" in done.stderr


def test_a_real_server_is_counted_where_valgrind_is_installed_and_else_the_package_is_named(tmp_path: Path) -> None:
    done = run("--case", "ordinary", "--repeat", "1", "--events", "64", "--json", str(tmp_path / "counts.json"))
    if shutil.which("valgrind") is None:
        assert (done.returncode, "install the package valgrind" in done.stderr) == (2, True)
        return
    assert done.returncode == 0, done.stderr
    (counted,) = json.loads((tmp_path / "counts.json").read_text())["results"]
    assert counted["case"] == "ordinary"
    assert counted["events"] == 64
    assert counted["counts"] == [counted["instructions_per_event"]]
    assert 100_000 < counted["instructions_per_event"] < 5_000_000  # a bare handler alone takes 115,000
    assert 0 < counted["other_threads_per_event"] < counted["instructions_per_event"] / 2


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.instructions", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)

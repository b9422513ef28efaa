"""`headrace serve` as a process: its output, and the bounds of its connections."""

import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.system.server_process import serving, write_project


def test_a_request_that_offers_an_upgrade_is_tracked_as_one_request(tmp_path: Path) -> None:
    body = b'{"source":{"id":"shop"},"session":{"id":"s"},"events":[{"type":"counted"}]}'
    head = (
        b"POST /track HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n"
    )
    with serving(write_project(tmp_path / "project"), tmp_path / "store.db") as served:
        place = urlsplit(served.address)
        with socket.create_connection((place.hostname, place.port), timeout=10) as client:
            client.sendall(head % len(body))
            client.sendall(body)
            said = b"".join(iter(lambda: client.recv(65_536), b""))
        assert served.stop() == 0
    assert said.startswith(b"HTTP/1.1 200")
    assert said.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_a_signal_stops_the_server_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with serving(write_project(tmp_path / "project"), tmp_path / "store.db") as served:
        assert served.send(number) == 0
    assert "Everything that was acknowledged is stored." in served.output


def test_the_start_says_which_sdks_may_send(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    (project / "sources" / "pages.yaml").write_text("source: pages\naccepts: [track, segment, posthog]\n")
    with serving(project, tmp_path / "store.db") as served:
        assert served.stop() == 0
    assert f"SDKs      posthog, segment, with the host {served.address}\n" in served.output


def test_a_port_in_use_is_reported_with_a_remedy(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "cli.main", "serve", str(project), "--port", port, "--store", "memory:"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "--port 0" in ended.stderr

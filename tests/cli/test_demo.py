"""The demo as a user runs it: a child process, its exit code, its output, and the files that it leaves behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from cli.demo import sample, walkthrough
from cli.demo.unmerge import Share

COMMAND = (sys.executable, "-c", "from cli.main import main; main()", "demo")
ROOT = Path(__file__).parents[2]
SECONDS = 60


@contextmanager
def started(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def is_served(address: str) -> bool:
    url = urlsplit(address)
    with socket.socket() as client:
        return client.connect_ex((url.hostname, url.port)) == 0


def test_the_demo_prints_traces_and_stored_profiles_and_leaves_no_files(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, out
    for line in (
        "order-to-vip  finished",
        "recognise:merged › revenue › big_spender:then › vip › greet ‖ crm:found › tier",
        "profile.traits.revenue >= 500 and 'vip' not in profile.segments → true",
        "crm:failed",
        'event.properties.total = "49,90"',
        "no flow takes this type",
        "webhooks order.paid, their signatures verified: o-1 (240), o-2 (610)",
        "mail: to bo@example.com: Welcome to our letter",
        "has taken effect before",
        "rejected: ",
        "big-spenders, newsletter-readers, regulars, vip",
        "→ Ann enters cart-abandoners",
        "→ Ann leaves cart-abandoners",
        "→ Ann's phone enters big-spenders, regulars, vip",
        "regulars  finished",
        "Ann's laptop and Ann's phone are one profile: both brought the same pii.email.",
        "a proof, by the event phone-3 (order-completed): flow order-to-vip, node recognise",
        "increments add up: revenue 240 + 320 = 560",
        "the link is undone",
        "newsletter-readers, regulars",
        "Ann's phone has left a segment by that: a flow started on the change and removed traits.regular_since.",
        "✓ Every event is accounted for.",
    ):
        assert line in out, line
    assert list(tmp_path.iterdir()) == []


def test_the_output_is_about_four_screens() -> None:
    out = StringIO()
    assert walkthrough.demo(Console(width=120, file=out)) == 0
    assert 100 <= out.getvalue().count("\n") <= 225


def test_a_wrong_count_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "EVENTS", {"received": 1})
    out = StringIO()
    assert walkthrough.demo(Console(width=120, file=out)) == 1
    assert re.search(r"✗ received: \d+, and it must be 1\n", out.getvalue())


def test_a_wrong_profile_after_the_unmerge_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    phone = {"Ann's phone": Share(321, ("big-spenders", "vip"))}
    monkeypatch.setattr(walkthrough, "SHARES", {**walkthrough.SHARES, **phone})
    monkeypatch.setattr(sample, "SEGMENT_CHANGES", sample.SEGMENT_CHANGES[1:])
    out = StringIO()
    assert walkthrough.demo(Console(width=200, file=out)) == 1
    assert "✗ Ann's phone has a revenue of 320, and it must be 321\n" in out.getvalue()
    assert "✗ segments are entered and left otherwise: [('bo', 'newsletter-readers', True)," in out.getvalue()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_an_interrupted_demo_stops_its_server_and_leaves_no_files(tmp_path: Path, sent: signal.Signals) -> None:
    with started(tmp_path) as process:
        address = re.search(r"is served on (\S+);", first_line(process))
        assert address is not None
        process.send_signal(sent)
        out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, out
    assert not is_served(address[1])
    assert list(tmp_path.iterdir()) == []


def test_the_shops_systems_report_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        out = StringIO()
        assert walkthrough.systems(Console(width=120, file=out), taken.getsockname()[1], 0) == 1
    assert "Cannot listen on port" in out.getvalue()

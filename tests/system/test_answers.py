"""Nothing that a real server answers to a stranger names a path of its machine."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

import api
from tests.system.server_process import serving, write_project

BROKEN = "flow: broken\ntrigger: {event: x}\nnodes: {n: {no.such.type: 1}}\n"
LOOKUP = """
flow: look
trigger: {event: looked}
nodes:
  ask: {lookup.http: {target: crm, path: /x}, next: {found: note, missing: note, failed: note}}
  note: {log: done}
"""
SETTINGS = "targets: {crm: {url: 'https://127.0.0.1:1', private: true}}\n"
JSON = {"Content-Type": "application/json"}
OPENED = [
    *("/", "/health/live", "/health/ready", "/schema", "/schema/openapi.json", "/schema/x", "/nowhere", "/counts"),
    *("/..%2f..%2fetc/passwd", "/%00", "/collect/a", "/collect/counted/shop", "/search/events?limit=x", "/events/x"),
]


def payload(*events: object) -> bytes:
    options = {"debugger": True, "profile": True}
    document = {"source": {"id": "shop"}, "session": {"id": "s"}, "events": events, "options": options}
    return json.dumps(document).encode()


SENT = [
    ("/track", payload({"type": "looked"}, {"type": "counted"}), JSON),
    ("/track", payload({"type": "counted", "properties": []}), JSON),
    ("/track", b"{", JSON),
    ("/track", b"\x1f\x8b", {**JSON, "Content-Encoding": "gzip"}),
    ("/track", b"x", {"Content-Type": "image/png"}),
    ("/consent", b"[]", JSON),
    ("/profiles/x/unmerge", b"{", JSON),
]


def answer(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> str:
    """The headers and the body of an answer, as text."""
    try:
        with urlopen(Request(url, data=body, headers=headers or {}), timeout=30) as response:
            return f"{response.headers}{response.read().decode()}"
    except HTTPError as refused:
        with refused:
            return f"{refused.headers}{refused.read().decode()}"


@pytest.mark.parametrize("folder", ["served-here", "a folder with spaces"])
def test_no_answer_names_a_path_of_the_machine(tmp_path: Path, folder: str) -> None:
    project = write_project(tmp_path / folder, broken=BROKEN, look=LOOKUP)
    (project / "headrace.yaml").write_text(SETTINGS)
    paths = [str(tmp_path), folder, str(Path(api.__file__).parent.parent), "site-packages", ".py"]
    with serving(project, tmp_path / "store.db") as served:
        answers = {path: answer(served.address + path) for path in OPENED}
        answers |= {f"{path} {body!r}": answer(served.address + path, body, headers) for path, body, headers in SENT}
    assert "flows/broken.yaml" in answers["/health/ready"]
    assert {
        place: named for place, text in answers.items() if (named := [path for path in paths if path in text])
    } == {}


def remove(database: Path) -> None:
    database.unlink()


def damage(database: Path) -> None:
    for file in (database, database.with_name(database.name + "-wal")):
        file.write_bytes(b"\xff" * max(4096, file.stat().st_size))


@pytest.mark.parametrize("break_store", [remove, damage])
def test_no_answer_about_a_broken_store_names_its_path(tmp_path: Path, break_store: Callable[[Path], None]) -> None:
    folder = tmp_path / "a folder with spaces"
    project = write_project(folder)
    reading = ("/counts", "/rejected", "/search/events", "/events/x", "/profiles/x", "/runs/x", "/segments")
    with serving(project, folder / "store.db") as served:
        answer(f"{served.address}/track", payload({"type": "counted"}), JSON)
        break_store(folder / "store.db")
        answers = [answer(f"{served.address}/track", payload({"type": "counted"}), JSON)]
        answers += [answer(served.address + path, headers=served.admin) for path in (*reading, "/health/ready")]
    assert any('"status":503' in text for text in answers)
    assert [text for text in answers if str(tmp_path) in text or folder.name in text] == []

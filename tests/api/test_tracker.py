"""`/tracker.js`: served to any page, cached, compressed, and under an address that never means other bytes."""

import base64
import gzip
import hashlib

import pytest
from litestar.testing import TestClient

from api.app import create_app
from api.tracker import current_script
from engine.project.project import Project
from storage.memory import MemoryStore


@pytest.mark.parametrize("path", ["/tracker.js", current_script().path])
def test_the_tracker_is_served_to_any_page(path: str) -> None:
    with TestClient(create_app(Project(), MemoryStore())) as client:
        answer = client.get(path, headers={"Accept-Encoding": "identity"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert ("immutable" in answer.headers["cache-control"]) == (path != "/tracker.js")
        digest = base64.b64encode(hashlib.sha384(answer.content).digest()).decode()
        assert current_script().integrity == f"sha384-{digest}"
        zipped = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert zipped.headers["content-encoding"] == "gzip"
        assert zipped.content == answer.content
        for known in (answer, zipped):
            tag = {"If-None-Match": known.headers["etag"], "Accept-Encoding": known.headers.get("content-encoding", "")}
            again = client.get(path, headers=tag)
            assert (again.status_code, again.content) == (304, b"")
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert client.post(path).status_code == 405
        assert client.get("/tracker.0000000000000000.js").status_code == 404


def test_the_compressed_script_is_the_script() -> None:
    assert gzip.decompress(current_script().zipped) == current_script().body

"""The id of a request: taken or made, echoed, and in problem documents and log lines."""

import io
import re
from typing import Any

import msgspec
import pytest
import structlog

from api.request_id import current
from api.tracking.body import wanted_headers
from cli.logging import configure_logging
from tests.api.conftest import Serve
from tests.projects import project

EVENT = {"source": {"id": "shop"}, "session": {"id": "s"}, "events": [{"type": "counted"}]}
MADE = re.compile(r"[0-9a-f-]{20,}")


@pytest.mark.parametrize("path", ["/track", "/counts", "/segment/v1/track", "/nowhere"])
async def test_an_id_that_a_request_brings_is_in_the_answer_and_in_the_problem(serve: Serve, path: str) -> None:
    client = await serve(project())
    answer = await client.post(path, content=b"{", headers={"x-request-id": "edge-7:a/b"})
    assert answer.status_code >= 400
    assert answer.headers.get_list("x-request-id") == ["edge-7:a/b"]
    document = answer.json()
    assert document["request"] == "edge-7:a/b" if "status" in document else True


@pytest.mark.parametrize(
    "given", [b"", b" ", b"a b", b'a"b', b"a" * 129, b"-a", b"a\tb", "é".encode(), b"a{b}", b"<script>"], ids=repr
)
async def test_one_that_is_no_word_is_not_taken(serve: Serve, given: bytes) -> None:
    client = await serve(project())
    answer = await client.get("/counts", headers={"x-request-id": given})
    assert MADE.fullmatch(answer.headers["x-request-id"])


async def test_an_event_is_taken_with_the_id_of_its_request_and_without_one(serve: Serve) -> None:
    client = await serve(project())
    answers = [await client.post("/track", json=EVENT, headers=headers) for headers in ({"x-request-id": "a"}, {})]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].headers["x-request-id"] == "a"


def test_two_different_ones_refuse_no_event() -> None:
    given = [(b"x-request-id", b"a"), (b"x-request-id", b"b"), (b"origin", b"https://a.example")]
    assert wanted_headers(given) == {b"x-request-id": b"a", b"origin": b"https://a.example"}


async def test_each_problem_has_an_id_of_its_own_that_its_header_has_as_well(serve: Serve) -> None:
    client = await serve(project())
    answers = [await client.post("/track", content=b"{") for _ in range(2)]
    ids = [answer.json()["request"] for answer in answers]
    assert ids == [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 2


def test_a_log_line_of_a_request_has_its_id_and_another_one_has_none() -> None:
    before, out = structlog.get_config(), io.StringIO()
    scope: Any = {"headers": [(b"x-request-id", b"edge-7")]}
    token = current.set(scope)
    try:
        configure_logging(out, worker=2)
        structlog.get_logger("test").info("within")
        current.set(None)
        structlog.get_logger("test").info("outside")
    finally:
        current.reset(token)
        structlog.configure(**before)
    lines = [msgspec.json.decode(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line.get("request"), line["worker"]) for line in lines] == [
        ("within", "edge-7", 2),
        ("outside", None, 2),
    ]

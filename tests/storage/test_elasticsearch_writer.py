"""The coalescing writer and reader, at a connection that answers what the test says."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import json

from engine.ports.backoff import BackoffFormula
from engine.ports.store import Overloaded, Unavailable
from storage.elasticsearch import backoff, reader, writer
from storage.elasticsearch.connection import Answer, Lost
from storage.elasticsearch.operation import Operation, Written, advance, create, delete, replace
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.writer import Writer
from tests.storage.scripted_connection import Reply, Scripted, items


def refused(status: int, type: str, reason: str = "why") -> Answer:
    return Answer(status, json.encode({"error": {"type": type, "reason": reason}, "status": status}))


def item(status: int, type: str = "trouble") -> dict[str, Any]:
    return {"status": status, "error": {"type": type, "reason": "why"}}


GOOD = {"status": 200, "_seq_no": 7, "_primary_term": 2}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "BACKOFF", BackoffFormula(first=0.001, longest=0.002))
    monkeypatch.setattr(writer, "BUDGET", 0.05)
    monkeypatch.setattr(reader, "BUDGET", 0.05)


def write(id: str = "a", source: bytes = b'{"n":1}') -> Operation:
    return create("index", id, source)


def writing(*replies: Reply) -> tuple[Writer, Scripted]:
    connection = Scripted(*replies)
    return Writer(connection), connection  # type: ignore[arg-type]


# ---- operations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "line"), [
    pytest.param(write(), {"create": {"_index": "index", "_id": "a"}}, id="create"),
    pytest.param(
        replace("index", "a", b"{}", Written(3, 2)),
        {"index": {"_index": "index", "_id": "a", "if_seq_no": 3, "if_primary_term": 2}},
        id="compare and set",
    ),
    pytest.param(replace("index", "a", b"{}", None), {"create": {"_index": "index", "_id": "a"}}, id="set if absent"),
    pytest.param(
        advance("index", "a", b"{}", 4),
        {"index": {"_index": "index", "_id": "a", "version": 4, "version_type": "external"}},
        id="own version",
    ),
    pytest.param(delete("index", "a"), {"delete": {"_index": "index", "_id": "a"}}, id="delete"),
])  # fmt: skip
def test_an_operation_is_what_bulk_takes(operation: Operation, line: dict[str, Any]) -> None:
    assert json.decode(operation.line) == line


# ---- the writer ----------------------------------------------------------------------------------------------------


async def test_what_waits_goes_together_and_one_request_at_a_time() -> None:
    own, connection = writing()
    first = asyncio.create_task(own.one(write("first")))
    await connection.asked.wait()
    rest = [asyncio.create_task(own.send([write(f"{n}-a"), write(f"{n}-b")])) for n in range(50)]
    assert await first == Written(0, 1)
    assert await asyncio.gather(*rest) == [[Written(2 * n, 1), Written(2 * n + 1, 1)] for n in range(50)]
    assert [len(sent) for sent in connection.sent] == [1, 100]
    assert connection.most == 1


async def test_a_request_is_bounded_in_count_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_OPERATIONS", 4)
    monkeypatch.setattr(writer, "MAX_BYTES", 300)
    own, connection = writing()
    await own.send([write(str(n)) for n in range(6)] + [write("big", b'{"t":"%b"}' % (b"x" * 1000)), write("last")])
    assert [len(sent) for sent in connection.sent] == [4, 2, 1, 1]


async def test_nothing_is_sent_for_nothing() -> None:
    own, connection = writing()
    assert await own.send([]) == []
    assert connection.sent == []


async def test_each_item_has_its_own_outcome() -> None:
    own, _ = writing(items(GOOD, item(409), item(403, "cluster_block_exception"), {"status": 404}))
    results = await asyncio.gather(
        own.one(write("a")), own.one(write("b")), own.one(write("c")), own.one(delete("index", "d")),
        return_exceptions=True,
    )  # fmt: skip
    assert results[:2] == [Written(7, 2), None]
    assert isinstance(results[2], Unavailable)
    assert "cluster_block_exception: why" in results[2].reason
    assert results[3] is None
    assert own.trouble is not None


@pytest.mark.parametrize("busy", [
    pytest.param(items(GOOD, item(429, "es_rejected_execution_exception")), id="one item is rejected"),
    pytest.param(items(GOOD, item(503, "unavailable_shards_exception")), id="one item has no shard"),
])  # fmt: skip
async def test_only_what_was_not_accepted_is_sent_again(busy: Answer) -> None:
    own, connection = writing(busy)
    assert await own.send([write("a"), write("b")]) == [Written(7, 2), Written(0, 1)]
    assert [[line["create"]["_id"] for line in sent] for sent in connection.sent] == [["a", "b"], ["b"]]
    assert own.trouble is None


@pytest.mark.parametrize("trouble", [
    pytest.param(refused(429, "circuit_breaking_exception"), id="429"),
    pytest.param(refused(503, "cluster_block_exception"), id="no master"),
    pytest.param(refused(502, ""), id="502"),
    pytest.param(Answer(502, b"<html>bad gateway"), id="the page of a proxy"),
    pytest.param(Answer(200, b'{"items":[{"create":{"status":20'), id="a truncated answer"),
    pytest.param(Answer(200, b"[]"), id="an answer of another kind"),
    pytest.param(items(GOOD), id="an answer to less"),
    pytest.param(Lost("reset after send"), id="no answer"),
])  # fmt: skip
async def test_the_same_bytes_are_sent_again_while_the_server_may_accept_them(trouble: Reply) -> None:
    own, connection = writing(trouble, trouble)
    assert await own.send([write("a"), write("b")]) == [Written(0, 1), Written(1, 1)]
    assert connection.bodies == [connection.bodies[0]] * 3


async def test_what_stays_refused_is_unavailable_with_the_reason_and_the_next_is_tried_anew() -> None:
    own, _ = writing(*[refused(503, "shutting_down", "bye")] * 1000)
    for _ in range(2):
        with pytest.raises(Unavailable, match="shutting_down: bye"):
            await own.one(write())
    assert own.trouble == "shutting_down: bye"


async def test_what_no_time_will_mend_is_refused_at_once() -> None:
    own, connection = writing(refused(403, "cluster_block_exception"), refused(401, "security_exception"))
    for type in ("cluster_block_exception", "security_exception"):
        with pytest.raises(Unavailable, match=type):
            await own.one(write())
    assert len(connection.sent) == 2


async def test_a_document_that_the_mapping_refuses_is_written_without_what_is_only_searched() -> None:
    own, connection = writing(items(item(400, "document_parsing_exception")))
    source = b'{"id":"e","properties":{"a":1},"doc":"whole"}'
    assert await own.one(write("e", source)) == Written(0, 1)
    assert connection.sent[1][0]["source"] == {"id": "e", "doc": "whole"}


async def test_a_document_that_the_mapping_refuses_bare_too_is_unavailable() -> None:
    own, connection = writing(*[items(item(400, "document_parsing_exception"))] * 2)
    with pytest.raises(Unavailable, match="document_parsing_exception"):
        await own.one(write("e", b'{"id":"e","properties":{"a":1}}'))
    assert len(connection.sent) == 2


async def test_a_full_queue_refuses_units_and_writes_the_queued_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "QUEUED_OPERATIONS", 5)
    own, _ = writing()
    results = await asyncio.gather(*[own.one(write(str(n))) for n in range(8)], return_exceptions=True)
    assert results[:5] == [Written(n, 1) for n in range(5)]
    assert [type(each) for each in results[5:]] == [Overloaded] * 3
    monkeypatch.setattr(writer, "QUEUED_BYTES", 10)
    with pytest.raises(Unavailable):
        await own.one(write())


async def test_a_cancelled_caller_does_not_affect_the_others() -> None:
    own, _ = writing()
    tasks = [asyncio.create_task(own.one(write(str(n)))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results] == [Written, asyncio.CancelledError, Written]
    assert own._bytes == 0


async def test_closing_writes_what_is_queued() -> None:
    own, _ = writing()
    tasks = [asyncio.create_task(own.one(write(str(n)))) for n in range(3)]
    await asyncio.sleep(0)
    await own.close()
    assert await asyncio.gather(*tasks) == [Written(n, 1) for n in range(3)]
    with pytest.raises(Unavailable, match="closed"):
        await own.one(write())


# ---- the reader ----------------------------------------------------------------------------------------------------


def docs(*results: dict[str, Any]) -> Answer:
    return Answer(200, json.encode({"docs": list(results)}))


def found(wanted: Sequence[dict[str, Any]]) -> Answer:
    return docs(*[{"found": True, "_source": each["_id"], "_seq_no": 1, "_primary_term": 1} for each in wanted])


def reading(*replies: Reply) -> tuple[Reader, Scripted]:
    connection = Scripted(*(replies or [found] * 20))
    return Reader(connection), connection  # type: ignore[arg-type]


async def test_reads_go_together_and_the_same_is_read_once() -> None:
    own, connection = reading()
    results = await asyncio.gather(*[own.get("index", id) for id in "abcabc"])
    assert [bytes(each.source) if each else None for each in results] == [b'"a"', b'"b"', b'"c"'] * 2
    assert [[each["_id"] for each in sent] for sent in connection.sent] == [["a", "b", "c"]]


async def test_a_read_is_never_answered_by_one_that_was_sent_before() -> None:
    own, connection = reading()
    first = asyncio.create_task(own.get("index", "a"))
    await connection.asked.wait()
    second = asyncio.create_task(own.get("index", "a"))
    await asyncio.gather(first, second)
    assert len(connection.sent) == 2


async def test_what_is_not_there_and_an_index_that_is_not_there_are_the_same() -> None:
    own, _ = reading(docs({"found": False}, {"error": {"type": "index_not_found_exception"}}))
    assert await own.many([("index", "a"), ("none", "a")]) == [None, None]


async def test_of_reads_only_what_failed_is_read_again() -> None:
    own, connection = reading(docs({"found": False}, {"error": {"type": "no_shard_available_action_exception"}}), found)
    results = await own.many([("index", "a"), ("index", "b")])
    assert results[0] is None
    assert results[1] is not None
    assert [[each["_id"] for each in sent] for sent in connection.sent] == [["a", "b"], ["b"]]


@pytest.mark.parametrize("trouble", [
    pytest.param(refused(503, "gone"), id="503"),
    pytest.param(Answer(200, b'{"docs":[{"fou'), id="a truncated answer"),
    pytest.param(docs(), id="an answer to less"),
    pytest.param(Lost("gone"), id="no answer"),
])  # fmt: skip
async def test_a_read_is_tried_again_within_its_budget(trouble: Reply) -> None:
    own, _ = reading(trouble, trouble, found)
    assert await own.get("index", "a") is not None
    own, _ = reading(*[trouble] * 1000)
    with pytest.raises(Unavailable):
        await own.get("index", "a")


async def test_a_cancelled_reader_harms_no_other() -> None:
    own, _ = reading()
    first, second = [asyncio.create_task(own.get("index", "a")) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    assert await second is not None
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_write_that_has_lain_in_the_queue_for_too_long_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LONGEST", -1.0)  # as if the process had been paused before the request
    writes, connection = writing()
    with pytest.raises(Unavailable, match="waited too long"):
        await writes.one(write())
    assert connection.sent == []
    await writes.close()

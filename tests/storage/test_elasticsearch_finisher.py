"""The finisher: at a server whose answers it cannot read, and in a process that was paused."""

import pytest
from msgspec import json
from structlog.testing import capture_logs

from storage.elasticsearch import finisher
from storage.elasticsearch.connection import Answer
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.names import Names
from storage.elasticsearch.pending_writes import new_token, writes_of
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.writer import Writer
from tests.storage.build import mark
from tests.storage.scripted_connection import Scripted, items

NAMES = Names("p")
CLASH = items({"status": 409})
UNREADABLE_MARK = Answer(200, b'{"docs":[{"found":true,"_source":{"at":"yesterday"},"_seq_no":1,"_primary_term":1}]}')


async def test_an_unexpected_error_is_logged_and_the_entry_is_finished_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finisher, "ERROR_SECONDS", 0.001)
    connection = Scripted(CLASH, UNREADABLE_MARK)
    finishing = Finisher(Reader(connection), Writer(connection), NAMES)  # type: ignore[arg-type]
    marks = ((NAMES.marks_at(10, 10), mark()),)
    entry = writes_of(finishing.format.unit(new_token(), 1, marks=marks))
    with capture_logs() as logs:
        await finishing.done([entry])
    assert entry.finished
    assert finishing.marks == {}
    assert [(line["log_level"], line["token"]) for line in logs] == [("error", entry.token)]
    await finishing.close()


@pytest.mark.parametrize("left", ["the document", "the entry", "nothing"])
async def test_an_entry_that_was_seen_long_ago_is_finished_only_if_its_document_still_carries_it(left: str) -> None:
    connection = Scripted()
    finishing = Finisher(Reader(connection), Writer(connection), NAMES)  # type: ignore[arg-type]
    entry = writes_of(finishing.format.unit(new_token(), 1, marks=((NAMES.marks_at(10, 10), mark()),)))
    entry.is_carried_by((NAMES.profiles, "ann"))
    entry.seen -= finisher.TRUSTED_SECONDS
    carried = {"pending": [entry.text] if left == "the entry" else []}
    found = {"found": left != "nothing", "_source": carried, "_seq_no": 1, "_primary_term": 1}
    connection.next(Answer(200, json.encode({"docs": [found]})))
    await finishing.done([entry])
    assert entry.finished
    read, *written = connection.sent
    assert [each["_id"] for each in read] == ["ann"]
    assert len(written) == (left == "the entry")
    await finishing.close()


async def test_an_entry_that_was_seen_a_moment_ago_is_finished_without_looking() -> None:
    connection = Scripted()
    finishing = Finisher(Reader(connection), Writer(connection), NAMES)  # type: ignore[arg-type]
    entry = writes_of(finishing.format.unit(new_token(), 1, marks=((NAMES.marks_at(10, 10), mark()),)))
    (known,) = finishing.known([entry.text], (NAMES.profiles, "ann"))
    await finishing.done([known])
    assert [[set(line) - {"source"} for line in lines] for lines in connection.sent] == [[{"create"}]]
    await finishing.close()

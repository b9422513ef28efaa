"""The fence at a document that does not exist: only a mark's place is written, so that no commit can create it."""

import pytest

from storage.elasticsearch.connection import Answer
from storage.elasticsearch.fence import Fence
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.loader import Loader
from storage.elasticsearch.names import Names
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.writer import Writer
from tests.storage.scripted_connection import Scripted

NAMES = Names("p")


@pytest.mark.parametrize(("index", "written"), [
    pytest.param(NAMES.marks_at(0, 0), 1, id="a week of marks"),
    pytest.param("p-marksheets", 0, id="a kind whose name starts with marks"),
    pytest.param("p-marks-sheets", 0, id="a kind whose name starts with marks and a hyphen"),
    pytest.param("p-letters", 0, id="another kind"),
])  # fmt: skip
async def test_a_document_is_created_only_in_an_index_of_marks(index: str, written: int) -> None:
    connection = Scripted(Answer(200, b'{"docs":[{"found":false}]}'))
    reader, writer = Reader(connection), Writer(connection)  # type: ignore[arg-type]
    finisher = Finisher(reader, writer, NAMES)
    fence = Fence(Loader(reader, finisher, NAMES), reader, writer, finisher, NAMES)
    assert await fence.stop((index, "id"))
    _, *writes = connection.sent
    assert len(writes) == written

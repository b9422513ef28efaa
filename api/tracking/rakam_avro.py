"""Rakam's bulk bodies in Avro: each becomes a body of lines of JSON, which the translator of Rakam knows."""

from io import BytesIO
from typing import Final

from msgspec import structs

from api.tracking.foreign import LARGE_BODY
from effects.rows.reading import read_rows
from effects.rows.stream import RowStream
from engine.ports.rows import Row, UnreadableFile
from engine.project.row_format import RowFormat
from engine.tracking.foreign.items import check_number
from engine.tracking.foreign.rakam import translated
from engine.tracking.foreign.rakam_bulk import AVRO, LINES, MAX_EVENTS
from engine.tracking.foreign.translation import ForeignRequest, Translation
from engine.tracking.intake.payload import Refusal

UNREADABLE: Final = b"null"  # the line of a row that has no text: it is rejected as one that is no object


def translated_bulk(request: ForeignRequest) -> Translation:
    """Return the events of a bulk request, in Avro or not. Raises `Refusal`."""
    if request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != AVRO.encode():
        return translated(request)
    headers = {**request.headers, b"content-type": LINES[0].encode()}
    return translated(structs.replace(request, body=_lines(request.body), headers=headers))


def _lines(body: bytes) -> bytes:
    lines: list[bytes] = []
    size = 0
    try:
        for row in read_rows(RowStream(BytesIO(body)), RowFormat(type="avro")):
            lines.append(row.raw if isinstance(row, Row) else UNREADABLE)
            size += len(lines[-1])
            check_number(len(lines), MAX_EVENTS)
            if size > LARGE_BODY:
                raise Refusal("too-large", f"the rows have at most {LARGE_BODY} bytes as JSON: send fewer at once")
    except UnreadableFile as unreadable:
        raise Refusal("malformed", f"Avro couldn't be parsed: {unreadable}") from None
    return b"\n".join(lines)

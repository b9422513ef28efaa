"""Operations: single writes, as the two lines that `_bulk` takes; and the position of a written document."""

from typing import Any

from msgspec import Struct, json

SEARCHED_LISTS = frozenset({"segments", "ids"})  # beside these, only objects are there just to be searched


class Operation(Struct, frozen=True, gc=False):
    """One write. `line` names the action and the place, `source` is the document; both are encoded."""

    line: bytes
    source: bytes | None = None

    @property
    def weight(self) -> int:
        """How many bytes it is."""
        return len(self.line) + len(self.source or b"") + 2

    def bare(self) -> "Operation | None":
        """The same without free values, which are only there to be searched; None when it has none."""
        document: dict[str, Any] = json.decode(self.source or b"{}")
        kept = {
            field: value
            for field, value in document.items()
            if not isinstance(value, dict) and field not in SEARCHED_LISTS
        }
        return Operation(self.line, json.encode(kept)) if len(kept) < len(document) else None


class Written(Struct, frozen=True, gc=False):
    """The position of a write in its index, over which the next compare-and-set writes."""

    seq_no: int
    term: int


def create(index: str, id: str, source: bytes) -> Operation:
    """Write a document that must not exist."""
    return Operation(b'{"create":{"_index":"%b","_id":"%b"}}' % (index.encode(), id.encode()), source)


def replace(index: str, id: str, source: bytes, at: Written | None) -> Operation:
    """Write over a document that must be as it was at `at`; without `at` it must not exist."""
    if at is None:
        return create(index, id, source)
    line = b'{"index":{"_index":"%b","_id":"%b","if_seq_no":%d,"if_primary_term":%d}}'
    return Operation(line % (index.encode(), id.encode(), at.seq_no, at.term), source)


def advance(index: str, id: str, source: bytes, version: int) -> Operation:
    """Write a document whose stored version, by its own count, must be older; or which must not exist."""
    line = b'{"index":{"_index":"%b","_id":"%b","version":%d,"version_type":"external"}}'
    return Operation(line % (index.encode(), id.encode(), version), source)


def renew(index: str, id: str, source: bytes, version: int) -> Operation:
    """Write a document whose stored version, by its own count, must not be newer."""
    line = b'{"index":{"_index":"%b","_id":"%b","version":%d,"version_type":"external_gte"}}'
    return Operation(line % (index.encode(), id.encode(), version), source)


def delete(index: str, id: str, at: Written | None = None) -> Operation:
    """Delete a document; with `at`, if it is still as it was then."""
    if at is None:
        return Operation(b'{"delete":{"_index":"%b","_id":"%b"}}' % (index.encode(), id.encode()))
    line = b'{"delete":{"_index":"%b","_id":"%b","if_seq_no":%d,"if_primary_term":%d}}'
    return Operation(line % (index.encode(), id.encode(), at.seq_no, at.term))

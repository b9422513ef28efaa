"""Documents about imports."""

from typing import Any, Final

from msgspec import Struct

from api.description.operation import BINARY, JSON, Body, Content

BEGUN: Final = 1_706_781_600_000


class ImportState(Struct, frozen=True):
    """How far an import has come. Times are in ms; `by` is what its parts carry.

    Of the `stored` rows, `repeated` were events before. Those of `forgotten` persons were dropped.
    """

    file: str
    by: str
    begun: int
    finished: int | None
    rows: int
    stored: int
    refused: int
    repeated: int
    forgotten: int


class RefusedLine(Struct, frozen=True):
    """A row that is in the rejected store."""

    number: int
    line: int
    reason: str


class ImportAnswer(Struct, frozen=True):
    """How far an import has come, and the first rows of this request that were refused."""

    file: str
    by: str
    begun: int
    finished: int | None
    rows: int
    stored: int
    refused: int
    repeated: int
    forgotten: int
    refused_rows: list[RefusedLine]


FILE: Final = Body(
    {
        "text/csv": Content(str, {"example": "type,user,total\norder,C-1,41.9\n"}),
        "application/x-ndjson": Content(str, {"example": '{"type": "order", "user": "C-1"}\n'}),
        JSON: Content(list[dict[str, Any]], {"example": [{"type": "order", "user": "C-1", "total": 41.9}]}),
        "application/octet-stream": Content(BINARY),
    }
)
STATE: Final[dict[str, Any]] = {
    "file": "orders.csv",
    "by": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "begun": BEGUN,
    "finished": None,
    "rows": 2,
    "stored": 1,
    "refused": 1,
    "repeated": 0,
    "forgotten": 0,
}
ANSWER: Final = STATE | {"refused_rows": [{"number": 2, "line": 3, "reason": "a quote is not closed"}]}
PART: Final[dict[str, Any]] = {
    "source": "history",
    "file": "orders.csv",
    "by": STATE["by"],
    "rows": [
        {"number": 1, "line": 2, "value": {"type": "order", "user": "C-1", "total": 41.9}},
        {"number": 2, "line": 3, "raw": "4712,x", "reason": "a quote is not closed"},
    ],
}

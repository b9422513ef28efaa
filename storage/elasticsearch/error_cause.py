"""Tells whether a write that a server refused may be retried."""

from msgspec import Struct, field, json

from storage.elasticsearch.connection import Answer

BUSY = frozenset({408, 429, 500, 502, 503, 504})
BLOCK = "cluster_block_exception"
NO_INDEX = "index_not_found_exception"


class Cause(Struct, frozen=True):
    """The reason for which a request, or one item of it, was refused."""

    type: str = ""
    reason: str | None = None
    caused_by: "Cause | None" = None

    def __str__(self) -> str:
        """All reasons, the innermost last: it says most."""
        below = f": {self.caused_by}" if self.caused_by else ""
        return f"{self.type}: {self.reason or ''}"[:500] + below


class _Said(Struct, frozen=True):
    error: Cause | str = field(default_factory=Cause)


_decode = json.Decoder(_Said).decode


def cause_of(answer: Answer) -> Cause:
    """Why a request as a whole was refused."""
    try:
        error = _decode(answer.body).error
    except ValueError:
        error = answer.body[:200].decode(errors="replace")
    return error if isinstance(error, Cause) else Cause(f"status {answer.status}", error)


def may_pass(status: int, cause: Cause) -> bool:
    """Whether a retry may succeed soon. A block stays until an operator lifts it, or the cluster has a master."""
    if cause.type == BLOCK:
        return status == 503
    return status in BUSY

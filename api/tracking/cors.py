"""CORS per source: a page may send and read the answer when one of the source's `origins` is its own."""

from collections.abc import Iterable

from engine.project.source import Source
from engine.tracking.intake.admission import allows_origin

Headers = list[tuple[bytes, bytes]]


def preflight_headers(sources: Iterable[Source], origin: str | None) -> Headers:
    """Return the headers for a preflight, which does not name its source: allowed if any source takes this origin."""
    if origin is None or not any(allows_origin(source, origin) for source in sources if source.enabled):
        return [(b"vary", b"Origin")]
    return [
        *allow_headers(origin),
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"Content-Type, Content-Encoding, Authorization"),
        (b"access-control-max-age", b"600"),
    ]


def answer_headers(source: Source | None, origin: str | None) -> Headers:
    """Return the headers that tell a browser whether its page may read the answer of a source."""
    if origin is None:
        return []
    if source is None or not allows_origin(source, origin):
        return [(b"vary", b"Origin")]
    return allow_headers(origin)


def allow_headers(origin: str) -> Headers:
    """Return the headers that let pages of `origin` read an answer."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"Headrace-Debugger, Retry-After"),
        (b"vary", b"Origin"),
    ]

"""CORS per source: a page may send and read the answer when the source's `origins` name its own.

A beacon always has credentials, so a browser sends one with JSON only where credentials are allowed. They are, for
origins that are listed: Headrace has no cookies that they could give away.
"""

from collections.abc import Iterable

from engine.project.origin import allows, lists
from engine.project.source import Source

Headers = list[tuple[bytes, bytes]]


def preflight_headers(sources: Iterable[Source], origin: str | None, more: Iterable[bytes] = ()) -> Headers:
    """Return the headers for a preflight, which does not name its source: allowed if any source takes this origin.

    `more` are names of headers that a page may send, too.
    """
    enabled = [source.origins for source in sources if source.enabled]
    if origin is None or not any(allows(origins, origin) for origins in enabled):
        return [(b"vary", b"Origin")]
    return [
        *allow_headers(origin, credentials=any(lists(origins, origin) for origins in enabled)),
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b", ".join([b"Content-Type, Content-Encoding, Authorization", *more])),
        (b"access-control-max-age", b"600"),
    ]


def answer_headers(source: Source | None, origin: str | None) -> Headers:
    """Return the headers that tell a browser whether its page may read the answer of a source."""
    if origin is None:
        return []
    if source is None or not allows(source.origins, origin):
        return [(b"vary", b"Origin")]
    return allow_headers(origin, credentials=lists(source.origins, origin))


def allow_headers(origin: str, *, credentials: bool) -> Headers:
    """Return the headers that let pages of `origin` read an answer, also one to a request with `credentials`."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        *([(b"access-control-allow-credentials", b"true")] if credentials else []),
        (b"access-control-expose-headers", b"Headrace-Debugger, Retry-After"),
        (b"vary", b"Origin"),
    ]

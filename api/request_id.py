"""The id of a request: in log lines, in problem documents, and in the header `X-Request-ID` of answers.

A client or a proxy may bring one in that header; one that is no plain word is not taken. Otherwise an id is made when
it is needed first, so that an ordinary event costs none: its answer has the header only if its request had it.
"""

import re
from contextvars import ContextVar
from typing import Any, Final

from effects.ids import new_id

HEADER: Final = b"x-request-id"

_WORD: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
_PLACE: Final = "headrace.request_id"  # in an ASGI scope

Scope = Any  # an ASGI scope, as any framework types it

current: ContextVar[Scope | None] = ContextVar("request", default=None)  # the scope of the request under way


def given_id(scope: Scope) -> str | None:
    """Return the id that a request has brought, if it is usable."""
    found = next((value for name, value in scope["headers"] if name == HEADER), None)
    return found.decode() if found is not None and _WORD.fullmatch(found) else None


def id_of(scope: Scope) -> str:
    """Return the id of a request: its own, or one that is made for it."""
    known: str | None = scope.get(_PLACE)
    if known is None:
        known = scope[_PLACE] = given_id(scope) or new_id()
    return known


def request_id() -> str | None:
    """Return the id of the request under way; None outside of one."""
    scope = current.get()
    return None if scope is None else id_of(scope)


def id_header(scope: Scope) -> tuple[bytes, bytes]:
    """Return the header of an answer."""
    return HEADER, id_of(scope).encode()

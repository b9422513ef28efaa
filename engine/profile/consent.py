"""Consents: how a profile stores them, and which state each has at a given time.

A consent is stored at `consents.<name>`. Each decision replaces the one before as a whole, so merging never mixes two:

    {given: ms}, {given: ms, expires: ms}    given, for good or until `expires`
    {revoked: ms}                            revoked
    true, false                              the same without a time, as `profile.set` may write it

Reading must accept more than `decision_operations` writes: a flow may write below a consent, and a merge may combine
such writes of several ids. Any value that is not certainly a consent counts as none.

    stored value                             state
    nothing, or null                         absent
    true                                     given
    false                                    revoked
    `given` later than `revoked`, or alone   given
    the same, and `expires` is not ahead     expired
    `revoked` as late as `given`, or alone   revoked
    anything else                            unreadable: text, a list, `expires` alone, a time that is no number

`given` is not compared with the current time, because the clocks of two servers differ a little.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from engine.profile.operations import Refused, Set

MAX_CONSENTS = 100  # of one profile

ConsentState = Literal["given", "absent", "revoked", "expired", "unreadable"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
_TIMES = ("given", "revoked", "expires")


class Decision(Struct, frozen=True):
    """A person's decision to give a consent, perhaps for a limited time, or to revoke it."""

    given: bool
    lasts_ms: int | None = None  # None is for good


def is_given(consents: Mapping[str, Any], name: str, now: int) -> bool:
    """Return whether the consent `name` is given at `now` (ms). `consents` is that root of a view."""
    return consent_state(consents, name, now) == "given"


def consent_state(consents: Mapping[str, Any], name: str, now: int) -> ConsentState:
    """Return the state of the consent `name` at `now` (ms), by the table above."""
    value = consents.get(name)
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return "given" if value else "revoked"
    if not isinstance(value, dict):
        return "unreadable"
    if not all(is_time(value[key]) for key in _TIMES if key in value):
        return "unreadable"
    given, revoked, expires = (value.get(key) for key in _TIMES)
    if given is None:
        return "unreadable" if revoked is None else "revoked"
    if revoked is not None and revoked >= given:
        return "revoked"
    return "expired" if expires is not None and now >= expires else "given"


def is_time(value: object) -> bool:
    """Return whether a value can be a time in ms."""
    return (type(value) is int or type(value) is float) and value >= 0


def is_consent_name(name: str) -> bool:
    """Return whether `name` is valid for a consent: at most 100 letters, digits, `_` and `-`."""
    return _NAME.fullmatch(name) is not None


def decision_operations(consents: Mapping[str, Any], decisions: Mapping[str, Decision], now: int) -> Iterator[Set]:
    """Yield the operations that store decisions made at `now` (ms). Raises `Refused` beyond `MAX_CONSENTS` consents."""
    if len({*consents, *decisions}) > max(MAX_CONSENTS, len(consents)):
        raise Refused(f"a profile has at most {MAX_CONSENTS} consents")
    for name, decision in decisions.items():
        value = {"given" if decision.given else "revoked": now}
        if decision.given and decision.lasts_ms is not None:
            value["expires"] = now + decision.lasts_ms
        yield Set(("consents", name), value)

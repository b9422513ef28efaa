"""Consents: what a profile says of each, and what that means at a time.

A consent stands at `consents.<name>`. Each decision replaces the one before as a whole, so merging never mixes two:

    {given: ms}, {given: ms, expires: ms}    given, for good or until then
    {revoked: ms}                            taken back
    true, false                              the same without a time, as `profile.set` may write it

What is read is more than what is written here: flows may write below a consent, and merged pasts may have done so.
Whatever is not surely a consent is none.

    what stands there                        what it means
    nothing, or null                         absent
    true                                     given
    false                                    revoked
    `given` later than `revoked`, or alone   given
    the same, and `expires` is not ahead     expired
    `revoked` as late as `given`, or alone   revoked
    anything else                            unreadable: text, a list, `expires` alone, a time that is no number

`given` is not compared with the clock: those of two servers differ by a little.
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
    """That somebody gives a consent, perhaps for a time (ms), or takes it back."""

    given: bool
    lasts_ms: int | None = None


def is_given(consents: Mapping[str, Any], name: str, now: int) -> bool:
    """Whether `consents`, as a profile shows them, hold `name` at `now` (ms). In doubt they do not."""
    return consent_state(consents, name, now) == "given"


def consent_state(consents: Mapping[str, Any], name: str, now: int) -> ConsentState:
    """How the consent `name` stands at `now` (ms), by the table above."""
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
    """Whether a value can be a time in ms."""
    return (type(value) is int or type(value) is float) and value >= 0


def is_consent_name(name: str) -> bool:
    """Whether a consent can be called so: letters, digits, `_` and `-`, at most 100 of them."""
    return _NAME.fullmatch(name) is not None


def decision_operations(consents: Mapping[str, Any], decisions: Mapping[str, Decision], now: int) -> Iterator[Set]:
    """The operations that write decisions made at `now` (ms); raises `Refused` where there would be too many."""
    if len({*consents, *decisions}) > max(MAX_CONSENTS, len(consents)):
        raise Refused(f"a profile has at most {MAX_CONSENTS} consents")
    for name, decision in decisions.items():
        word = {"given" if decision.given else "revoked": now}
        if decision.given and decision.lasts_ms is not None:
            word["expires"] = now + decision.lasts_ms
        yield Set(("consents", name), word)

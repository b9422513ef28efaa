"""Readiness: whether a tracker can take payloads now."""

from typing import Literal

from msgspec import Struct


class Readiness(Struct, frozen=True):
    """Whether payloads can be taken, and the reason if not at once. `entries` wait in the spool, None without one."""

    status: Literal["ready", "spooling", "not ready"]
    reason: str | None
    entries: int | None = None

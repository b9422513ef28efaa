"""The record that a failed run was done again: at most one for each run, so that it takes effect once."""

from typing import Final

from msgspec import Struct

from engine.ports.kind import Kind, Owners


class RunReplay(Struct, frozen=True, omit_defaults=True):
    """A run that was done again. `id` is that of the failed run, `run` that of the new one; `at` is in ms."""

    id: str
    run: str
    flow: str
    event: str
    source: str
    at: int
    version: int = 1
    by: str = ""
    profile: str | None = None
    session: str | None = None


REPLAYS: Final = Kind(
    name="replays",
    record=RunReplay,
    lifecycle="versioned",
    time="at",
    owners=Owners(profile="profile", session="session"),
)

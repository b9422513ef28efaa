"""Runs that wait: the run as a value, apart from its stub in the profile (`engine.profile.document.WaitStub`)."""

from msgspec import Raw, Struct, field


class WaitingRun(Struct, frozen=True, omit_defaults=True):
    """A run that is put away. It never changes; it is deleted when its wait ends.

    `id` is `RUN.N`: the n-th time that this run waits. `run` is the encoded `engine.flow.paused.PausedRun`. `profile`
    is the id under which it acts. `other_profiles` are those whose data it contains. `due` and `on` are those of the
    stub when it was written.
    """

    id: str
    flow: str
    flow_version: str
    at: int  # ms
    source: str
    event: str
    profile: str
    depth: int = 0  # of its event: how many events emitted one another
    due: int = 0  # ms
    on: tuple[str, ...] = ()
    save: bool = True  # events that it emits are stored
    session: str | None = None
    version: int = 1
    other_profiles: tuple[str, ...] = field(default=(), name="met")
    run: Raw = field(default_factory=lambda: Raw(b"null"))


class Arrival(Struct, frozen=True, omit_defaults=True):
    """The event for which a run has waited. `id` is that of the waiting run, with `.a` behind it."""

    id: str
    at: int  # ms
    source: str
    profile: str
    event: str  # its id
    session: str | None = None
    version: int = 1
    other_profiles: tuple[str, ...] = field(default=(), name="met")
    heard_by: tuple[str, ...] = ()  # the nodes of the run that have waited for it
    awaited: Raw = field(default_factory=lambda: Raw(b"null"))  # the event as flows see it

"""The effects of a unit: the record that `UnitRun` fills while it runs, and that everything after it reads."""

from typing import Any, Literal

from msgspec import Struct, field

from engine.flow.effect import AttachSession, CachePut, Deliver, HandOver, HoldKey
from engine.flow.run import Identify
from engine.flow.run_state import RunState
from engine.ports.ids import short_hash
from engine.ports.records import Session
from engine.ports.replay import RunReplay
from engine.profile.document import Profile, Scalar
from engine.project.source import Source
from engine.tracking.tracing import Switches
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.membership import Membership
from engine.tracking.unit.resumed import Resumed
from engine.tracking.unit.run_counter import RunKey
from engine.tracking.unit.scheduled import Firing
from engine.tracking.unit.sender import Login
from engine.tracking.unit.waits import UnitWaits


class UnitContext(Struct, frozen=True, kw_only=True):
    """The documents and facts that a unit starts from. `now` (ms), `seed` and all ids are the same in every rerun."""

    source: Source
    session: Session | None
    profile: Profile | None
    view: dict[str, Any] | None  # of the profile, when it is known already
    acting_id: str | None
    now: int
    seed: str
    identify: Identify
    debug: bool | str = False
    traced: Switches | None = None  # of runs that are traced, although their sender has not asked for it
    proven: dict[str, Scalar] = field(default_factory=dict)  # keys of the sender, by path
    has_events: bool = True  # a visitor has come; without events only time has passed
    visit: bool = False  # a visit begins
    imported: bool = False  # its events come from a file: no visitor has come now, and nothing waits for them
    earliest: int | None = None  # ms; when the first of its events occurred, if `first_seen` goes by that
    save: bool = True  # events of the system are stored
    weighed: bool = False  # a run fails that makes the profile too large
    login: Login | None = None  # the links that the sender brings
    former: Profile | None = None  # the profile that the session led to before it was handed over
    handed_over: bool = False  # the first event was begun again by a run that handed the session over
    given_up: tuple["FlowResult", ...] = ()  # that run
    full_targets: frozenset[str] = frozenset()  # for which no more deliveries are written
    hops: int = 0  # how many requests to other systems led to the unit, one by the other
    firing: Firing | None = None  # the unit is one of a scheduled flow
    resumed: Resumed | None = None  # the unit resumes a run that has waited
    again: RunReplay | None = None  # the unit does a failed run again: this flow alone runs


Kept = Literal["failed", "failed-port", "logged", "debugged", "sampled", "paused"]


class About(Struct, frozen=True):
    """The facts by which a kept run is found: why it is kept, its first failure, its logs and its path.

    `share` is the share of which the run is a sample, if it is one. `nodes` are the nodes that ran, as `id:port`.
    """

    kept: Kept
    key: RunKey
    share: float | None = None
    level: str = ""
    logs: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


class FlowResult(Struct, frozen=True):
    """One flow's part in one event: a run, or the reason why there was none."""

    event: UnitEvent
    flow: str
    version: str
    outcome: str
    trace: dict[str, Any] | None = None
    other_profiles: tuple[str, ...] = ()  # that it read, beside its own
    names: tuple[str, ...] = ()  # which distinguish its record from others of the event and the flow in the unit
    counted: RunKey | None = None  # of a run that has ended, or pauses
    about: About | None = None  # of a run whose trace is kept
    recording: bytes | None = None  # of such a run, if it can run again from it


class GivenUp(Struct, frozen=True):
    """A run that has handed its session over, for the client's event with this place in the unit.

    The place is -1 if the run's event came before the first one of the client: then nothing of the unit is kept.
    """

    place: int
    to: HandOver
    results: tuple[FlowResult, ...]
    open_to_all: bool  # the sender may see values and ids that the unit had read up to then


class RanEvent(Struct, frozen=True):
    """An event whose flows have run: `view` shows it as it was then, `acting_id` the id under which it took effect."""

    event: UnitEvent
    view: dict[str, Any]
    acting_id: str | None


def run_id(event: str, flow: str, version: str, seed: str, *names: str) -> str:
    """Return the id of the record of a run; `names` are those of `FlowResult`, and its outcome if it was given up."""
    return short_hash("run", event, flow, version, seed, *names)


class RequestedDelivery(Struct, frozen=True):
    """A delivery that a run has requested. `node` names the node with the turns of loops, `number` counts in it."""

    effect: Deliver
    event: UnitEvent
    flow: str
    version: str  # of the flow
    node: str
    number: int
    other_profiles: tuple[str, ...] = ()  # whose data the run has read


class UnitEffects(Struct):
    """The effects of a unit's runs. It is complete when the unit's `run` is exhausted, and never changes afterwards."""

    context: UnitContext
    membership: Membership
    state: RunState  # after the last run
    events: list[RanEvent] = []
    flows: list[FlowResult] = []
    response: dict[str, Any] = {}
    logs: list[dict[str, Any]] = []
    held_keys: list[HoldKey] = []  # the keys that are to lead to the unit's profile
    attached: Profile | None = None
    session_attached: AttachSession | None = None
    cache: list[CachePut] = []
    deliveries: list[RequestedDelivery] = []
    waits: UnitWaits | None = None  # made for the first one that is begun, ended, or arrived for
    foreign: bool = False  # a run read a profile, or a joint one, that is not the sender's own
    refused: bool = False  # an event has values that could not be cast
    given_up: GivenUp | None = None  # then all other effects are void

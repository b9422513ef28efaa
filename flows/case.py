"""`*.test.yaml`: what a project is to do, told as cases. The file stands beside the flow that it is about.

Here is what stands in such a file, as plain data. `mentions` says what it names that is not there; `cli` plays it.
A key that is not given is UNSET: nothing is said of it. Null says that there is nothing.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

DEFAULT_VISITOR: Final = "visitor"  # what a visitor without a name is called
DEFAULT_CLOCK: Final = "2026-01-01T12:00:00Z"  # when cases begin, unless a file says otherwise

Outcome = Literal["finished", "failed", "filtered", "not-triggered"]
Refused = Literal["malformed", "unauthorised", "too-large", "nothing-accepted"]  # of the intake's, those that can come
Path = Annotated[
    tuple[str | tuple[str, ...], ...],
    Meta(description="The nodes that ran, in order; those in brackets of their own in any order"),
]
Ports = Annotated[dict[str, str], Meta(description="The port that a node left by")]
SegmentNames = Annotated[
    str | tuple[str, ...] | dict[str, str | tuple[str, ...]],
    Meta(description="A segment or a list of them; or for each visitor"),
]


class Event(Struct, frozen=True, kw_only=True):
    """An event as its sender gives it."""

    type: Annotated[str, Meta(description="The event's type, e.g. order-completed", min_length=1, max_length=200)]
    id: str | UnsetType = UNSET
    time: str | int | float | UnsetType = UNSET
    properties: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] | UnsetType = UNSET


class Send(Struct, frozen=True, kw_only=True):
    """A payload of one event (`type`, `properties`), or of several (`events`), as it comes to `/track`."""

    visitor: Annotated[str, Meta(description="Who sends; the same name is the same visitor")] = DEFAULT_VISITOR
    source: Annotated[str | UnsetType, Meta(description="By which source; else the file's, or the only one")] = UNSET
    session: Annotated[str, Meta(description="Which visit of the visitor's; another name is another visit")] = "1"
    profile_less: Annotated[bool, Meta(description="Whether it is sent to /track?profile_less=true")] = False
    type: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    id: str | UnsetType = UNSET
    time: str | int | float | UnsetType = UNSET
    properties: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    events: Annotated[tuple[Event, ...] | UnsetType, Meta(description="Several events of one payload")] = UNSET


class Mock(Struct, frozen=True, kw_only=True):
    """What a look-up is answered: a status with a body, or no answer."""

    status: Annotated[int, Meta(description="The HTTP status", ge=100, le=599)] = 200
    body: Annotated[Any, Meta(description="The body, as JSON")] = None
    fail: Annotated[
        Literal["timeout", "connection"] | UnsetType, Meta(description="timeout or connection: there is no answer")
    ] = UNSET


class GivenProfile(Struct, frozen=True, kw_only=True):
    """What a profile has when a case begins. Its values under `pii` are keys that lead to it."""

    traits: dict[str, Any] = field(default_factory=dict)
    pii: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, Any] = field(default_factory=dict)
    segments: Annotated[tuple[str, ...], Meta(description="Segments that are filled by hand")] = ()


class Given(Struct, frozen=True, kw_only=True):
    """Who is known when a case begins."""

    profile: Annotated[GivenProfile | UnsetType, Meta(description="Of the visitor without a name")] = UNSET
    profiles: Annotated[dict[str, GivenProfile], Meta(description="By visitor")] = field(default_factory=dict)


class Call(Struct, frozen=True, kw_only=True):
    """What a request of a look-up must contain."""

    method: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    query: dict[str, Any] | UnsetType = UNSET
    headers: dict[str, Any] | UnsetType = UNSET
    body: Any = UNSET


class Run(Struct, frozen=True, kw_only=True):
    """What became of a flow; of its last run, if it ran several times in a step."""

    outcome: Outcome | UnsetType = UNSET
    path: Path | UnsetType = UNSET
    ports: Ports | UnsetType = UNSET


class Expect(Run, frozen=True, kw_only=True):
    """What must have come of a step. `outcome`, `path` and `ports` are those of the file's flow."""

    runs: Annotated[dict[str, Run | Outcome] | UnsetType, Meta(description="The same for any flow, by name")] = UNSET
    refused: Annotated[
        Refused | UnsetType | None,
        Meta(description="How the payload is refused: nothing-accepted, malformed, too-large or unauthorised"),
    ] = UNSET
    response: Annotated[Any, Meta(description="What the sender is answered under `response`; null for nothing")] = UNSET
    event: Annotated[dict[str, Any] | UnsetType, Meta(description="The event as it is stored, by path")] = UNSET
    emitted: Annotated[
        tuple[str | Event, ...] | UnsetType, Meta(description="The events that flows emitted, all of them, in order")
    ] = UNSET
    calls: Annotated[
        dict[str, int | tuple[Call, ...]] | UnsetType,
        Meta(description="How many requests a look-up made, or what each contains"),
    ] = UNSET
    profile: Annotated[
        dict[str, Any] | UnsetType | None, Meta(description="The profile of the step's visitor, by path")
    ] = UNSET
    profiles: Annotated[dict[str, dict[str, Any]] | UnsetType, Meta(description="The same by visitor")] = UNSET
    same: Annotated[tuple[str, ...] | UnsetType, Meta(description="Visitors who are one profile")] = UNSET
    apart: Annotated[tuple[str, ...] | UnsetType, Meta(description="Visitors who are different profiles")] = UNSET
    entered: SegmentNames | UnsetType = UNSET
    left: SegmentNames | UnsetType = UNSET


class TestStep(Struct, frozen=True, kw_only=True):
    """One thing that happens, and what must come of it."""

    send: Annotated[Send | UnsetType, Meta(description="What is sent, e.g. {type: order-paid}")] = UNSET
    advance: Annotated[str | UnsetType, Meta(description="Time passes, e.g. 31d")] = UNSET
    unmerge: Annotated[tuple[str, ...] | UnsetType, Meta(description="The two visitors who are set apart again")] = (
        UNSET
    )
    mocks: Annotated[dict[str, Mock | tuple[Mock, ...]], Meta(description="As those of the case, from here on")] = (
        field(default_factory=dict)
    )
    expect: Expect = Expect()


class Case(Struct, frozen=True, kw_only=True):
    """A story with an end: one `event`, or `steps`."""

    name: Annotated[str, Meta(description="A sentence that says what must happen", min_length=1, max_length=200)]
    given: Given = Given()
    mocks: Annotated[
        dict[str, Mock | tuple[Mock, ...]],
        Meta(description="What look-ups are answered, by node; of several answers each in turn, the last one for ever"),
    ] = field(default_factory=dict)
    event: Annotated[Send | UnsetType, Meta(description="What is sent, e.g. {type: order-paid}")] = UNSET
    expect: Expect = Expect()
    steps: tuple[TestStep, ...] = ()


class CaseFile(Struct, frozen=True, kw_only=True):
    """One `*.test.yaml`."""

    flow: Annotated[str | UnsetType, Meta(description="The flow whose nodes this file speaks of")] = UNSET
    description: str = ""
    source: Annotated[str | UnsetType, Meta(description="By which source events come, unless a step says so")] = UNSET
    clock: Annotated[str, Meta(description="When every case begins, e.g. 2026-01-01T12:00:00Z")] = DEFAULT_CLOCK
    cases: Annotated[tuple[Case, ...], Meta(description="What must happen", min_length=1)]


def present_keys(of: Struct) -> tuple[str, ...]:
    """The keys that were given of those that may be left unsaid."""
    return tuple([name for name in of.__struct_fields__ if getattr(of, name) is not UNSET])

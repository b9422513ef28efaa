"""`*.test.yaml`: test cases of a project. The file is beside the flow that it tests.

These Structs are the content of such a file. `test_references` checks the names in it; `cli` runs it. A key that is
left out is UNSET, and nothing is checked; null means that there must be nothing.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

DEFAULT_VISITOR: Final = "visitor"  # the name of a visitor without a name
DEFAULT_CLOCK: Final = "2026-01-01T12:00:00Z"  # the start of a case, unless the file has a `clock`

Outcome = Literal["finished", "failed", "filtered", "not-triggered", "paused", "cancelled"]
Refused = Literal["malformed", "unauthorised", "too-large", "nothing-accepted"]  # as far as a test can cause them
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
    """An event as a sender writes it."""

    type: Annotated[str, Meta(description="The event's type, e.g. order-completed", min_length=1, max_length=200)]
    id: str | UnsetType = UNSET
    time: str | int | float | UnsetType = UNSET
    properties: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] | UnsetType = UNSET


class Send(Struct, frozen=True, kw_only=True):
    """A payload of one event (`type`, `properties`), or of several (`events`), as it is sent to `/track`."""

    visitor: Annotated[str, Meta(description="The visitor who sends; the same name is the same visitor")] = (
        DEFAULT_VISITOR
    )
    source: Annotated[str | UnsetType, Meta(description="The source to send by; else the file's, or the only one")] = (
        UNSET
    )
    session: Annotated[str, Meta(description="The visit; another name is another visit of the same visitor")] = "1"
    user: Annotated[
        str | int | UnsetType | None,
        Meta(description="The user id that the payload names beside its visitor; null: it names only its visitor"),
    ] = UNSET
    profile_less: Annotated[bool, Meta(description="Whether it is sent to /track?profile_less=true")] = False
    type: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    id: str | UnsetType = UNSET
    time: str | int | float | UnsetType = UNSET
    properties: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    events: Annotated[tuple[Event, ...] | UnsetType, Meta(description="Several events of one payload")] = UNSET


class Mock(Struct, frozen=True, kw_only=True):
    """The response to a look-up: a status with a body, or none."""

    status: Annotated[int, Meta(description="The HTTP status", ge=100, le=599)] = 200
    body: Annotated[Any, Meta(description="The body, as JSON")] = None
    fail: Annotated[
        Literal["timeout", "connection"] | UnsetType, Meta(description="timeout or connection: there is no response")
    ] = UNSET


class GivenProfile(Struct, frozen=True, kw_only=True):
    """A profile that exists at the start of a case. Its values under `pii` are identity keys."""

    traits: dict[str, Any] = field(default_factory=dict)
    pii: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, Any] = field(default_factory=dict)
    segments: Annotated[tuple[str, ...], Meta(description="Segments that are filled by hand")] = ()


class Given(Struct, frozen=True, kw_only=True):
    """Data at the start of a case: profiles, places of IP addresses, and what a scheduled flow has kept."""

    profile: Annotated[GivenProfile | UnsetType, Meta(description="The profile of the visitor without a name")] = UNSET
    profiles: Annotated[dict[str, GivenProfile], Meta(description="Profiles by visitor")] = field(default_factory=dict)
    places: Annotated[
        dict[str, dict[str, Any]], Meta(description="What `geo.lookup` finds, by IP address; others are missing")
    ] = field(default_factory=dict)
    state: Annotated[
        dict[str, Any], Meta(description="What the file's flow, which has a schedule, keeps from earlier firings")
    ] = field(default_factory=dict)


class Call(Struct, frozen=True, kw_only=True):
    """The parts that a request of a look-up must contain."""

    method: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    query: dict[str, Any] | UnsetType = UNSET
    headers: dict[str, Any] | UnsetType = UNSET
    body: Any = UNSET


class Delivery(Struct, frozen=True, kw_only=True):
    """The parts that a delivery must have: those of every one, then those of HTTP, of webhooks and of mails."""

    target: Annotated[str, Meta(description="The name of the target in headrace.yaml")]
    flow: Annotated[str | UnsetType, Meta(description="The flow that delivers it")] = UNSET
    node: Annotated[str | UnsetType, Meta(description="The node that delivers it")] = UNSET
    mode: Annotated[
        Literal["live", "test"] | UnsetType, Meta(description="test: the event is from a source in `mode: test`")
    ] = UNSET
    order: Annotated[
        Literal["none", "profile"] | UnsetType, Meta(description="profile: those of a profile are sent in order")
    ] = UNSET
    after: Annotated[str | UnsetType, Meta(description="How long it waits before it is sent, e.g. 10m")] = UNSET
    method: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    query: dict[str, Any] | UnsetType = UNSET
    headers: dict[str, Any] | UnsetType = UNSET
    body: Any = UNSET
    type: str | UnsetType = UNSET
    data: Any = UNSET
    to: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    html: str | UnsetType = UNSET
    sender: str | UnsetType = UNSET
    reply_to: str | UnsetType = UNSET


class Wait(Struct, frozen=True, kw_only=True):
    """The parts that an open wait must have."""

    flow: Annotated[str, Meta(description="The flow of the run that waits")]
    on: Annotated[
        str | tuple[str, ...] | UnsetType, Meta(description="The type of the event for which it waits, or several")
    ] = field(default=UNSET, name="for")
    until: Annotated[
        str | UnsetType, Meta(description="When it goes on at the latest: from now, e.g. 2h, or a time")
    ] = UNSET


ACTIONS: Final = ("send", "webhook", "advance", "unmerge", "fire")  # of a step
OF_HTTP: Final = ("method", "path", "query", "headers", "body", "type", "data")  # keys of `Delivery`
OF_MAIL: Final = ("to", "subject", "text", "html", "sender", "reply_to")


class Run(Struct, frozen=True, kw_only=True):
    """The outcome of a flow in a step; of its last run, if it ran several times."""

    outcome: Outcome | UnsetType = UNSET
    path: Path | UnsetType = UNSET
    ports: Ports | UnsetType = UNSET


class Expect(Run, frozen=True, kw_only=True):
    """The expectations after a test step. `outcome`, `path` and `ports` are those of the file's flow."""

    runs: Annotated[dict[str, Run | Outcome] | UnsetType, Meta(description="The same for any flow, by name")] = UNSET
    refused: Annotated[
        Refused | UnsetType | None,
        Meta(description="How the payload is refused: nothing-accepted, malformed, too-large or unauthorised"),
    ] = UNSET
    response: Annotated[Any, Meta(description="The `response` in the answer to the sender; null for none")] = UNSET
    event: Annotated[dict[str, Any] | UnsetType, Meta(description="The event as it is stored, by path")] = UNSET
    emitted: Annotated[
        tuple[str | Event, ...] | UnsetType, Meta(description="The events that flows emitted, all of them, in order")
    ] = UNSET
    calls: Annotated[
        dict[str, int | tuple[Call, ...]] | UnsetType,
        Meta(description="How many requests a look-up made, or what each contains"),
    ] = UNSET
    deliveries: Annotated[
        tuple[Delivery, ...] | UnsetType,
        Meta(description="The messages that flows send to targets, all of them, in order"),
    ] = UNSET
    waits: Annotated[
        tuple[Wait, ...] | UnsetType,
        Meta(description="The runs that wait after the step, all of them, in the order in which they go on"),
    ] = UNSET
    profile: Annotated[
        dict[str, Any] | UnsetType | None, Meta(description="The profile of the step's visitor, by path")
    ] = UNSET
    profiles: Annotated[dict[str, dict[str, Any]] | UnsetType, Meta(description="The same by visitor")] = UNSET
    state: Annotated[
        dict[str, Any] | UnsetType, Meta(description="What the file's flow keeps for its next firing, by key")
    ] = UNSET
    same: Annotated[tuple[str, ...] | UnsetType, Meta(description="Visitors who are one profile")] = UNSET
    apart: Annotated[tuple[str, ...] | UnsetType, Meta(description="Visitors who are different profiles")] = UNSET
    entered: SegmentNames | UnsetType = UNSET
    left: SegmentNames | UnsetType = UNSET


class TestStep(Struct, frozen=True, kw_only=True):
    """One thing that happens in a case, and what must be true afterwards."""

    send: Annotated[Send | UnsetType, Meta(description="The payload to send, e.g. {type: order-paid}")] = UNSET
    webhook: Annotated[
        str | UnsetType, Meta(description="The recorded requests to play, e.g. paid.http, a file beside this one")
    ] = UNSET
    advance: Annotated[str | UnsetType, Meta(description="The time that passes, e.g. 31d")] = UNSET
    unmerge: Annotated[tuple[str, ...] | UnsetType, Meta(description="The two visitors whose merge is undone")] = UNSET
    fire: Annotated[str | UnsetType, Meta(description="The scheduled flow to fire, whenever it is due")] = UNSET
    mocks: Annotated[
        dict[str, Mock | tuple[Mock, ...]], Meta(description="As the mocks of the case, from this step on")
    ] = field(default_factory=dict)
    expect: Expect = Expect()


class Case(Struct, frozen=True, kw_only=True):
    """A test case: one `event`, or several `steps`."""

    name: Annotated[str, Meta(description="A sentence that says what must happen", min_length=1, max_length=200)]
    given: Given = Given()
    mocks: Annotated[
        dict[str, Mock | tuple[Mock, ...]],
        Meta(description="Responses to look-ups, by node; of several, each in turn, and the last one for ever"),
    ] = field(default_factory=dict)
    event: Annotated[Send | UnsetType, Meta(description="The payload to send, e.g. {type: order-paid}")] = UNSET
    webhook: Annotated[
        str | UnsetType, Meta(description="The recorded requests to play, e.g. paid.http, a file beside this one")
    ] = UNSET
    fire: Annotated[str | UnsetType, Meta(description="The scheduled flow to fire, whenever it is due")] = UNSET
    expect: Expect = Expect()
    steps: tuple[TestStep, ...] = ()


class CaseFile(Struct, frozen=True, kw_only=True):
    """One `*.test.yaml`."""

    flow: Annotated[str | UnsetType, Meta(description="The flow that this file tests")] = UNSET
    flows: Annotated[
        tuple[str, ...] | UnsetType,
        Meta(description="The only flows that run beside it; without the key all flows run"),
    ] = UNSET
    description: str = ""
    source: Annotated[str | UnsetType, Meta(description="The source of all events, unless a step names another")] = (
        UNSET
    )
    clock: Annotated[str, Meta(description="The time at the start of every case, e.g. 2026-01-01T12:00:00Z")] = (
        DEFAULT_CLOCK
    )
    cases: Annotated[tuple[Case, ...], Meta(description="The test cases", min_length=1)]


def present_keys(struct: Struct) -> tuple[str, ...]:
    """The keys that the file has, in the order of the Struct's fields; the others are UNSET."""
    return tuple([name for name in struct.__struct_fields__ if getattr(struct, name) is not UNSET])

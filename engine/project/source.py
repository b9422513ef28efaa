"""Sources: configured senders with an id and a policy."""

from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct, field, structs

from engine.flow.run import Identify

Accepted = Literal["track", "segment", "posthog", "rakam", "traintracks", "import"]
SchemaMode = Literal["none", "learn", "fixed"]


SCHEMA_MODES: Final = get_args(SchemaMode)


class EventIdPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the id of a delivery is that comes in at `/collect`: in a header, or at a path of its properties."""

    header: Annotated[str | None, Meta(description="The name of a header, e.g. X-Delivery-Id")] = None
    path: Annotated[str | None, Meta(description="A path in the body or the query, e.g. delivery or data.id")] = None


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sender of events and its permissions: one file in `sources/`."""

    source: Annotated[str, Meta(description="The id that payloads name", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
    description: str = ""
    kind: Annotated[
        Literal["public", "secret"],
        Meta(description="public: the id stands in pages; secret: requests must carry the key"),
    ] = "public"
    key: Annotated[
        str | None,
        Meta(description="SHA-256 (hex) of the key that a secret source sends as `Authorization: Bearer KEY`"),
    ] = None
    user_secret: Annotated[
        str | None,
        Meta(description="Signs the user tokens that this source's payloads may carry; written as ${env:NAME}"),
    ] = None
    enabled: bool = True
    origins: Annotated[
        tuple[str, ...],
        Meta(description="Web origins that may send, e.g. https://shop.example or https://*.shop.example; * for any"),
    ] = ()
    identify: Annotated[
        Identify,
        Meta(description="What a key in an event of this source proves: link (a claim), trust, or refuse (nothing)"),
    ] = "link"
    debugger: Annotated[bool, Meta(description="Whether options.debugger is answered")] = False
    profiles: Annotated[bool, Meta(description="Whether options.profile is answered with the whole profile")] = False
    consent: Annotated[bool, Meta(description="Whether this source requires consent; answered as source.consent")] = (
        False
    )
    sessions: Annotated[
        Literal["required", "made"], Meta(description="made: a payload without a session id is given one")
    ] = "required"
    answer_within: Annotated[
        int, Meta(description="Milliseconds that an answer waits for look-ups", ge=1, le=60_000)
    ] = 5_000
    accepts: Annotated[
        tuple[Accepted, ...],
        Meta(description="The protocols in which its senders may send: track, segment, posthog, rakam, traintracks"),
    ] = ("track",)
    product_secret: Annotated[
        str | None,
        Meta(description="Signs the requests of Traintracks' clients; written as ${env:NAME}"),
    ] = None
    deduplicate: Annotated[
        Literal["given", "content"] | None,
        Meta(
            description="content: an event without an id gets one from its content, so a repeated request counts once; "
            "by default in Rakam's and Traintracks' protocols, for events that have a time"
        ),
    ] = None
    clock: Annotated[
        Literal["trusted", "skewed"],
        Meta(description="skewed: clocks of its clients may be slow, so the time at which they send corrects events'"),
    ] = "trusted"
    mode: Annotated[
        Literal["live", "test"],
        Meta(description="test: deliveries that its events cause go to the `test:` part of their targets"),
    ] = "live"
    times: Annotated[
        Literal["received", "occurred"],
        Meta(
            description="occurred: counts over time and first_seen go by the times at which its events occurred, "
            "not by those at which they came in"
        ),
    ] = "received"
    event_id: Annotated[
        EventIdPlace | None,
        Meta(
            description="What names a delivery to /collect, {header: X-Delivery-Id} or {path: data.id}: it takes "
            "effect once, however often it is sent"
        ),
    ] = None
    schema: Annotated[
        SchemaMode | None,
        Meta(
            description="learn: properties have types, declared or of their first use; fixed: new fields are refused; "
            "by default learn where the source accepts rakam, else none"
        ),
    ] = None


def schema_of(source: Source) -> SchemaMode:
    """Return whether the properties of a source's events have types, and whether new fields may come."""
    return source.schema or ("learn" if "rakam" in source.accepts else "none")


# Headers that frame a message or belong to the connection: a look-up that sets one could smuggle a second request.
FRAMING_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

SYSTEM_SOURCE: Final = Source(
    source="headrace",
    description="Events that the passing of time causes",
    sessions="made",
    debugger=True,
)


class TestPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The target that deliveries of events from sources in `mode: test` go to, in place of the live one."""

    url: Annotated[
        str, Meta(description="Fixed base address, e.g. https://sandbox.crm.example", pattern="^(https?|smtps?)://")
    ]
    headers: Annotated[dict[str, str], Meta(description="Sent with every request; secrets as ${env:NAME}")] = field(
        default_factory=dict
    )
    secret: Annotated[str | None, Meta(description="Signs webhooks, as of the target")] = None
    user: Annotated[str | None, Meta(description="The user name at the mail server")] = None
    password: Annotated[str | None, Meta(description="The password at the mail server, as ${env:NAME}")] = None
    private: Annotated[bool, Meta(description="Whether the address may be private or loopback")] = False


class Target(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A system that look-ups and deliveries may call, in `headrace.yaml`. Event data never chooses its host.

    Durations are texts such as `3d`; `rate` is a number for each unit of time, such as `50/s`.
    """

    url: Annotated[
        str,
        Meta(
            description="Fixed base address, e.g. https://crm.example/api, or smtp://host:587 of a mail server",
            pattern="^(https?|smtps?)://",
        ),
    ]
    headers: Annotated[dict[str, str], Meta(description="Sent with every request; secrets as ${env:NAME}")] = field(
        default_factory=dict
    )
    private: Annotated[bool, Meta(description="Whether the address may be private or loopback")] = False
    max_bytes: Annotated[int, Meta(description="Largest answer that is read", ge=1, le=16_777_216)] = 1_048_576
    redirects: Annotated[int, Meta(description="Redirects that are followed, each checked again", ge=0, le=5)] = 0
    concurrency: Annotated[
        int, Meta(description="How many requests of one process are under way at a time", ge=1, le=256)
    ] = 32
    rate: Annotated[
        str | None, Meta(description="How many requests begin in a unit of time at most, e.g. 50/s or 600/min")
    ] = None
    timeout: Annotated[str, Meta(description="How long one attempt at a delivery may take, e.g. 10s")] = "10s"
    give_up: Annotated[str, Meta(description="The age at which a delivery that fails is given up, e.g. 3d")] = "3d"
    shards: Annotated[
        int, Meta(description="How many processes may send to it side by side, each other profiles", ge=1, le=64)
    ] = 1
    secret: Annotated[
        str | None,
        Meta(description="Signs webhooks (Standard Webhooks, whsec_...); written as ${env:NAME}; two keys: new,old"),
    ] = None
    user: Annotated[str | None, Meta(description="The user name at the mail server")] = None
    password: Annotated[str | None, Meta(description="The password at the mail server, as ${env:NAME}")] = None
    sender: Annotated[str | None, Meta(description="The address from which mails come")] = None
    test: Annotated[
        TestPart | None, Meta(description="In place of the live system, for events from sources in `mode: test`")
    ] = None


def is_mail(system: Target | TestPart) -> bool:
    """Return whether a target, or its test part, is a mail server."""
    return system.url.startswith(("smtp:", "smtps:"))


def target_in(target: Target, mode: Literal["live", "test"]) -> Target | None:
    """Return the target that deliveries of this mode go to: the target itself, or its test part with the same limits.

    None when the target has no test part. No address and no secret of the live one is left in the other.
    """
    if mode == "live":
        return target
    part = target.test
    if part is None:
        return None
    return structs.replace(
        target,
        url=part.url,
        headers=part.headers,
        private=part.private,
        secret=part.secret,
        user=part.user,
        password=part.password,
        test=None,
    )

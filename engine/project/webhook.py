"""Webhooks: addresses to which another system sends its requests, and how each request becomes events.

    a request -> its signature is verified -> its body is parsed -> `when` holds -> its *reading* makes events

A reading is one of four: a list of mappings, a mapping for each item of a list, one event with the whole request (which
a flow of its own takes apart), or a script.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from engine.language.expression import Condition
from engine.language.value import Value
from engine.project.mapping import EventMapping
from engine.project.script import Script
from engine.project.signature_check import SignatureCheck

Method = Literal["POST", "PUT", "GET"]

FUNCTION: Final = "module"  # that a script defines
TYPE: Final = "webhook."  # how the type of an event begins that is a whole request; the name of the webhook follows

# The roots that expressions of a webhook read.
REQUEST_ROOTS: Final = frozenset({"body", "text", "query", "headers", "params", "now"})
ITEM_ROOTS: Final = REQUEST_ROOTS | {"item", "index"}


class ListedEvents(Struct, frozen=True):
    """A reading: each of these mappings makes an event, or none where its own condition does not hold."""

    mappings: tuple[EventMapping, ...]


class EventForEach(Struct, frozen=True):
    """A reading: the mapping makes an event of each item of a list, which it reads as `item` and `index`."""

    items: Value
    mapping: EventMapping


class WholeRequest(Struct, frozen=True):
    """A reading: the request is one event, of a type that triggers this flow."""

    flow: str


class ScriptedEvents(Struct, frozen=True):
    """A reading: a script returns the events."""

    script: Script


Reading = ListedEvents | EventForEach | WholeRequest | ScriptedEvents


class WebhookAnswer(Struct, frozen=True):
    """An answer that the sender expects, e.g. a challenge. Where `body` has no value, the usual answer is sent."""

    body: Value
    media_type: str


class Webhook(Struct, frozen=True, kw_only=True):
    """A webhook of a project: one file in `webhooks/`. Its events are those of `source`."""

    name: str
    source: str
    reading: Reading
    description: str = ""
    methods: tuple[Method, ...] = ("POST",)
    when: Condition | None = None  # of the whole request; where it does not hold, there are no events
    check: SignatureCheck | None = None  # how its requests are signed
    secrets: tuple[str, ...] = ()  # any of which may have signed
    params: Mapping[str, Any] = {}
    answer: WebhookAnswer | None = None

    @property
    def event_type(self) -> str:
        """The type of an event that is a whole request."""
        return f"{TYPE}{self.name}"

"""Messages to other systems, as a flow has rendered them. Secrets are put in when a message is sent."""

from typing import Any

from msgspec import Struct, field


class HttpMessage(Struct, frozen=True, tag="http", tag_field="message", omit_defaults=True):
    """An HTTP request below a target's address, as a flow has rendered it. `body` is JSON; None for no body."""

    method: str = "POST"
    path: str = "/"  # already percent-encoded, begins with /
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


class WebhookMessage(Struct, frozen=True, tag="webhook", tag_field="message", omit_defaults=True):
    """An event for a receiver of signed webhooks (Standard Webhooks). The signature is made when it is sent."""

    type: str
    data: Any
    at: int  # ms: the time of the unit
    path: str = "/"


class MailMessage(Struct, frozen=True, tag="mail", tag_field="message", omit_defaults=True):
    """An e-mail. The target has the server, and the sender's address unless `sender` has it."""

    to: str
    subject: str
    text: str = ""
    html: str = ""
    sender: str = ""
    reply_to: str = ""


class Elsewhere(Struct, frozen=True, omit_defaults=True):
    """An event that has happened elsewhere: its id there, in the flow that brings it, its time, and its person."""

    id: str | None = None
    time: Any = None
    user: str | None = None
    visitor: str | None = None


class EventMessage(Struct, frozen=True, tag="event", tag_field="message", omit_defaults=True):
    """An event for Headrace itself, for the target `self`; its id is that of the delivery, or one from `elsewhere`."""

    type: str
    properties: dict[str, Any]
    depth: int = 0
    elsewhere: Elsewhere | None = None


Message = HttpMessage | WebhookMessage | MailMessage | EventMessage

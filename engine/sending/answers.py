"""Answers of targets: whether a delivery has arrived, is sent again later, or is dead; and what they say of the target.

| answer | the delivery | the target |
|---|---|---|
| HTTP 2xx, SMTP 2yz | sent | works |
| HTTP 400 405 406 410 411 413 414 415 422 431 501 | dead: this message would be refused each time | works |
| SMTP 5yz for a message or its recipient | dead | works |
| HTTP 404 409 423 425 | again: it may be accepted later | works |
| HTTP 401, SMTP 530 534 535 538 | again: an operator has to correct the credentials | refuses all |
| HTTP 500 | again | unknown: the one message may be the cause, and visitors choose messages |
| HTTP 403, which a firewall also answers to one message that it dislikes | again | fails |
| HTTP 3xx that is not followed, 408, 429, 5xx, any other | again | fails |
| SMTP 4yz for a recipient, but for 421 | again: such as a full mailbox, or greylisting | works |
| SMTP 4yz otherwise; no answer, no connection | again | fails |
"""

from typing import Final

from engine.ports.courier import DeliveryResult, TargetHealth, Verdict

DEAD_STATUSES: Final = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431, 501})
INTERNAL_ERROR: Final = 500
LATER_STATUSES: Final = frozenset({404, 409, 423, 425})  # about this message: others may be accepted
UNAUTHORIZED: Final = 401
SMTP_CREDENTIAL_CODES: Final = frozenset({530, 534, 535, 538})


def http_verdict(status: int) -> tuple[Verdict, TargetHealth]:
    """Return what an HTTP status means for the delivery, and what it says of the target."""
    if 200 <= status < 300:
        return "sent", "works"
    if status in DEAD_STATUSES:
        return "dead", "works"
    if status in LATER_STATUSES:
        return "again", "works"
    if status == INTERNAL_ERROR:
        return "again", "unknown"
    return "again", "refuses" if status == UNAUTHORIZED else "fails"


def smtp_verdict(code: int) -> tuple[Verdict, TargetHealth]:
    """Return what an SMTP reply code means for the delivery, and what it says of the server."""
    if 200 <= code < 300:
        return "sent", "works"
    if code in SMTP_CREDENTIAL_CODES:
        return "again", "refuses"
    return ("dead", "works") if 500 <= code < 600 else ("again", "fails")


def no_answer(reason: str, *, health: TargetHealth = "fails", took_ms: int = 0) -> DeliveryResult:
    """Return the result of an attempt without an answer: it is made again."""
    return DeliveryResult("again", reason=reason, health=health, took_ms=took_ms)


def impossible(reason: str) -> DeliveryResult:
    """Return the result for a message that can never be sent as it is."""
    return DeliveryResult("dead", reason=reason, health="unknown")

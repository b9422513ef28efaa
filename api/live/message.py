"""The messages of a stream, as server-sent events."""

from typing import Literal

MessageType = Literal["row", "more", "at", "end"]


def message(type: MessageType, data: str, place: str | None = None) -> bytes:
    """Return a message. A client that comes again sends the `place` of the last one that it has read."""
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    head = [f"event: {type}"] if place is None else [f"id: {place}", f"event: {type}"]
    return "\n".join([*head, *[f"data: {line}" for line in lines], "", ""]).encode()


RETRY = b"retry: 1000\n\n"  # ms after which a client comes again

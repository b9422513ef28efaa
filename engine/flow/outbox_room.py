"""The room that a run has in the outbox: what the limits of its unit and of the targets leave for its messages."""

from typing import Final

import msgspec
from msgspec import Struct, structs

from engine.flow.effect import Deliver

MAX_DELIVERIES: Final = 1_000  # of a unit
MAX_MESSAGE: Final = 262_144  # bytes of a message, as JSON
MAX_MESSAGES: Final = 1_048_576  # bytes of all messages of a unit

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Deliver).decode


class OutboxRoom(Struct, frozen=True, omit_defaults=True):
    """How many messages, and how many bytes of them, a unit may still put into the outbox.

    `of_deliveries` and `of_bytes` are the unit's limits, for messages to authors; `full` are the targets for which as
    many messages wait as may wait.
    """

    deliveries: int = MAX_DELIVERIES
    bytes: int = MAX_MESSAGES
    message: int = MAX_MESSAGE
    of_deliveries: int = MAX_DELIVERIES
    of_bytes: int = MAX_MESSAGES
    full: frozenset[str] = frozenset()

    def take(self, effect: Deliver) -> tuple["OutboxRoom", Deliver, str]:
        """Return the room that a message leaves, the message as plain data, and the limit that it exceeds or ""."""
        encoded = _encode(effect)
        if reason := self._excess(effect.target, len(encoded)):
            return self, effect, reason
        left = structs.replace(self, deliveries=self.deliveries - 1, bytes=self.bytes - len(encoded))
        return left, _decode(encoded), ""

    @property
    def whole(self) -> "OutboxRoom":
        """The room of the unit before any message: a turn of a loop has it, since the loop counts what turns take."""
        return structs.replace(self, deliveries=self.of_deliveries, bytes=self.of_bytes)

    def less(self, other: "OutboxRoom") -> "OutboxRoom":
        """The room that is left here once all is taken that has been taken from `other`."""
        deliveries = self.deliveries - (other.of_deliveries - other.deliveries)
        return structs.replace(self, deliveries=deliveries, bytes=self.bytes - (other.of_bytes - other.bytes))

    @property
    def excess(self) -> str:
        """The limit of the unit that has been exceeded, in words; empty if none has been."""
        return self._excess_of_unit(0) if self.deliveries < 0 or self.bytes < 0 else ""

    def _excess(self, target: str, size: int) -> str:
        if target in self.full:
            return f"the outbox of `{target}` is full: as many messages wait as `deliveries.most_open` allows"
        if size > self.message:
            return f"the message has {size:,} bytes, and `deliveries.most_bytes` is {self.message:,}"
        return self._excess_of_unit(size)

    def _excess_of_unit(self, size: int) -> str:
        if self.deliveries < 1:
            return f"more than {self.of_deliveries:,} deliveries in a unit (`deliveries.most_per_unit`)"
        if size > self.bytes:
            return f"the deliveries of a unit have more than {self.of_bytes:,} bytes (`deliveries.most_bytes_per_unit`)"
        return ""


def outbox_room(deliveries: int, message: int, total: int) -> OutboxRoom:
    """Return the room of a new unit with these limits."""
    return OutboxRoom(deliveries, total, message, deliveries, total)

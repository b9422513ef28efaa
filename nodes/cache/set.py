from typing import Annotated, Any

from msgspec import Meta

from engine.flow.effect import CachePut
from engine.flow.node import Duration, Node, NodeContext, Outcome, Port, Text

_MAX_LENGTH = 500  # characters of a key


class CacheSet(Node, frozen=True, tag="cache.set"):
    """Store a value for a limited time, for the runs of all flows.

    Other runs can read it once this event is committed. A later value under the same key replaces the earlier one.
    """

    key: Annotated[Text, Meta(description="The key of the value", examples=["rate:{{ event.properties.currency }}"])]
    value: Annotated[Any, Meta(description="The value", examples=["{{ nodes.rates.out.rate }}"])]
    ttl: Annotated[Duration, Meta(description="How long to store it: ms, s, m, h or d", examples=["10m"], gt=0)]

    examples = (
        """\
keep_rate:
  cache.set: {key: "rate:{{ event.properties.currency }}", value: "{{ event.properties.rate }}", ttl: 10m}
""",
    )

    done = Port("The value will be stored", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Store the value."""
        if reason := key_problem(self.key):
            return self.failed(reason=reason)
        return self.done(effects=[CachePut(self.key, self.value, self.ttl)])


def key_problem(key: str) -> str:
    """The reason why `key` is not a valid key of the cache; empty when it is valid."""
    return (
        "" if 0 < len(key.strip()) <= len(key) <= _MAX_LENGTH else f"a key is a text of 1 to {_MAX_LENGTH} characters"
    )

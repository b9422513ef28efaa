from typing import Annotated, Any

from msgspec import Meta

from engine.flow.effect import CachePut
from engine.flow.node import Duration, Node, NodeContext, Outcome, Port, Text

_LONGEST = 500  # characters of a key


class CacheSet(Node, frozen=True, tag="cache.set"):
    """Keep a value for a while, for the runs of all flows.

    It is there for others once this event is committed. A later value under the same key replaces the earlier one.
    """

    key: Annotated[Text, Meta(description="What to keep it under", examples=["rate:{{ event.properties.currency }}"])]
    value: Annotated[Any, Meta(description="What to keep", examples=["{{ nodes.rates.out.rate }}"])]
    ttl: Annotated[Duration, Meta(description="How long to keep it: ms, s, m, h or d", examples=["10m"], gt=0)]

    examples = (
        """\
keep_rate:
  cache.set: {key: "rate:{{ event.properties.currency }}", value: "{{ event.properties.rate }}", ttl: 10m}
""",
    )

    done = Port("The value will be kept", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Keep the value."""
        if reason := bad_key(self.key):
            return self.failed(reason=reason)
        return self.done(effects=[CachePut(self.key, self.value, self.ttl)])


def bad_key(key: str) -> str:
    """Why `key` cannot be a key of the cache, in words; empty when it can."""
    return "" if 0 < len(key.strip()) <= len(key) <= _LONGEST else f"a key is a text of 1 to {_LONGEST} characters"

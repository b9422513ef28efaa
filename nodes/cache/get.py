from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, CacheReply, Reply, refusal
from engine.flow.ask import CacheGet as Get
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole, Text
from engine.language.kinds import ANYTHING
from nodes.cache.set import key_problem


class CacheGet(Node, frozen=True, tag="cache.get"):
    """Read a value that a run of any flow has stored with `cache.set`."""

    key: Annotated[
        Text,
        Sole(),
        Meta(description="The key of the value", examples=["rate:{{ event.properties.currency }}"]),
    ]

    output = ANYTHING
    examples = (
        """\
rate:
  cache.get: "rate:{{ event.properties.currency }}"
""",
    )

    found = Port("There is a value; it is the node's output", main=True)
    missing = Port("There is no value, or it has expired")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the value."""
        if reason := key_problem(self.key):
            return self.failed(reason=reason)
        return Get(self.key)

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Leave with the value."""
        if not isinstance(reply, CacheReply):
            return self.failed(reason=refusal(reply))
        if not reply.hit:
            return self.missing(reason="there is no value under this key")
        return self.found(reply.value)

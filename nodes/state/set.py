from typing import Annotated, Any

from msgspec import Meta

from engine.flow.effect import SetState
from engine.flow.node import Node, NodeContext, Outcome, Port, Text

_MAX_LENGTH = 200  # characters of a key


class StateSet(Node, frozen=True, tag="state.set"):
    """Store a value for the next firing of this scheduled flow, such as how far it has come.

    The value is stored together with all else that the firing does, or not at all. A later value under the same key
    replaces it, and null removes it. All values of a flow together have at most 64 KiB, as JSON.
    """

    key: Annotated[Text, Meta(description="The key of the value", examples=["cursor"])]
    value: Annotated[Any, Meta(description="The value; null removes it", examples=["{{ nodes.fetch.out.until }}"])]

    uses_task = True
    examples = (
        """\
keep:
  state.set: {key: cursor, value: "{{ now }}"}
""",
    )

    done = Port("The value will be stored", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Store the value."""
        if reason := key_problem(self.key):
            return self.failed(reason=reason)
        return self.done(effects=[SetState(self.key, self.value)])


def key_problem(key: str) -> str:
    """The reason why `key` is not a valid key of a state; empty when it is valid."""
    return (
        "" if 0 < len(key.strip()) <= len(key) <= _MAX_LENGTH else f"a key is a text of 1 to {_MAX_LENGTH} characters"
    )

from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Node, NodeContext, Outcome, Port, Sole, Text
from engine.language.kinds import ANYTHING
from nodes.state.set import key_problem


class StateGet(Node, frozen=True, tag="state.get"):
    """Read a value that an earlier firing of this scheduled flow has stored with `state.set`.

    The node also sees what nodes before it have stored in this firing.
    """

    key: Annotated[Text, Sole(), Meta(description="The key of the value", examples=["cursor"])]
    default: Annotated[Any, Meta(description="The output when there is no value", examples=["2026-01-01"])] = None

    uses_task = True
    output = ANYTHING
    examples = (
        """\
since:
  state.get: {key: cursor, default: "2026-01-01"}
""",
    )

    found = Port("There is a value, or a default; it is the node's output", main=True)
    missing = Port("There is no value under this key, and no default")

    def run(self, context: NodeContext) -> Outcome:
        """Leave with the value."""
        if reason := key_problem(self.key):
            return self.failed(reason=reason)
        state = context.task_state
        if state is None:
            return self.failed(reason="only a flow with a schedule has a state")
        value = state.get(self.key, self.default)
        if value is None:
            return self.missing(reason="there is no value under this key")
        return self.found(value)

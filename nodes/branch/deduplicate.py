from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Duration, Fixed, Node, NodeContext, Outcome, Port
from engine.profile.recent import MAX_RECENT, key_of, let_through, recent


class Deduplicate(Node, frozen=True, tag="deduplicate"):
    """Tell the first time that a value comes with a profile from repeats within a time.

    The time begins when the value comes for the first time, and a repeat does not extend it. The profile keeps a hash
    of the value. A value counts once the run is committed: a run that fails has seen nothing. Nodes with the same
    `name` compare with the same values, in whatever flow they are.
    """

    value: Annotated[Any, Meta(description="The value", examples=["{{ event.properties.order_id }}"])]
    within: Annotated[Duration, Meta(description="Within which time: ms, s, m, h or d", examples=["1d"], gt=0)]
    name: Annotated[
        Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,99}$")] | None,
        Fixed(),
        Meta(
            description="The name of what is compared: small letters, digits, - and _; that of the flow and the node "
            "when left out",
            examples=["orders"],
        ),
    ] = None

    uses_profile = True
    knows_place = True
    examples = (
        """\
new_order:
  deduplicate: {value: "{{ event.properties.order_id }}", within: 1d}
""",
    )

    first = Port("The value has not come within the time", main=True)
    repeat = Port("It has come within the time")

    def run(self, context: NodeContext) -> Outcome:
        """Leave by `first`, adding to the profile's list, or by `repeat`."""
        if context.profile is None:
            return self.failed(reason="no profile")
        name, key = self.name or context.place, key_of(self.value)
        keys = recent(context.profile, name, context.now - self.within)
        if key in keys:
            return self.repeat(reason="the value has come within the time")
        if len(keys) >= MAX_RECENT:
            return self.failed(reason=f"a profile has at most {MAX_RECENT} different values within the time")
        return self.first(effects=[let_through(name, key, context.now)])

from typing import Annotated

from msgspec import Meta

from engine.flow.node import Duration, Fixed, Node, NodeContext, Outcome, Port, Text
from engine.profile.recent import MAX_RECENT, key_of, let_through, recent


class Throttle(Node, frozen=True, tag="throttle"):
    """Let a profile pass at most so many times within a time (frequency capping).

    Passing counts once the run is committed: a run that fails counts nothing. Nodes with the same `name` count
    together, in whatever flow they are. What profiles that merge have passed is added up.
    """

    most: Annotated[int, Fixed(), Meta(description="How many times it may pass", examples=[1], ge=1, le=MAX_RECENT)]
    per: Annotated[Duration, Meta(description="Within which time: ms, s, m, h or d", examples=["1d"], gt=0)]
    by: Annotated[
        Text | int | None,
        Meta(
            description="A value, such as a campaign, for which passing is counted by itself; for all values together "
            "a profile may pass 100 times within the time",
            examples=["{{ event.properties.topic }}"],
        ),
    ] = None
    name: Annotated[
        Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,99}$")] | None,
        Fixed(),
        Meta(
            description="The name of the limit: small letters, digits, - and _; that of the flow and the node when "
            "left out",
            examples=["mail"],
        ),
    ] = None

    uses_profile = True
    knows_place = True
    examples = (
        """\
calm:
  throttle: {most: 1, per: 1d}
""",
        """\
calm:
  throttle: {most: 3, per: 7d, by: "{{ event.properties.topic }}", name: mail}
""",
    )

    passed = Port("The profile has passed fewer than `most` times within the time, and passes now", main=True)
    throttled = Port("It has passed `most` times within the time")

    def run(self, context: NodeContext) -> Outcome:
        """Leave by `passed`, adding to the profile's list, or by `throttled`."""
        if context.profile is None:
            return self.failed(reason="no profile")
        name, key = self.name or context.place, "" if self.by is None else key_of(self.by)
        keys = recent(context.profile, name, context.now - self.per)
        if keys.count(key) >= self.most:
            return self.throttled(reason=f"it has passed {self.most} times within the time")
        if len(keys) >= MAX_RECENT:
            return self.failed(reason=f"a profile passes at most {MAX_RECENT} times within the time, for all values")
        return self.passed(effects=[let_through(name, key, context.now)])

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Condition, Node, NodeContext, Outcome, Port, Sole, declared_ports

_CASE = r"^(?!(?:default|failed|skipped)$)[a-z][a-z0-9_]*$"  # a case is a port, beside those that are there anyway


class Switch(Node, frozen=True, tag="switch"):
    """Leave by the first case whose condition holds.

    Every case is a port of its own name. When no condition holds, the run goes on at `default`.
    """

    cases: Annotated[
        dict[Annotated[str, Meta(pattern=_CASE)], Condition],
        Sole(),
        Meta(
            description="The cases in the order in which they are tried: name of the port, condition",
            examples=[{"gold": "profile.traits.revenue >= 1000", "silver": "profile.traits.revenue >= 200"}],
            min_length=1,
        ),
    ]

    examples = (
        """\
tier:
  switch:
    gold: profile.traits.revenue >= 1000
    silver: profile.traits.revenue >= 200
""",
    )

    default = Port("No condition holds")

    @classmethod
    def own_ports(cls, config: Mapping[str, Any]) -> dict[str, Port]:
        """A port for each case."""
        own = declared_ports(cls)
        return {name: _case(name) for name in map(str, config) if name not in own}

    def run(self, context: NodeContext) -> Outcome:
        """Leave by the first case that holds, else by `default`."""
        for name, holds in self.cases.items():
            if holds:
                return Outcome(name)
        return self.default()


def _case(name: str) -> Port:
    port = Port(f"The condition of `{name}` is the first that holds")
    port.name = name
    return port

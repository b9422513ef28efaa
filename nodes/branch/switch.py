from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Condition, Node, NodeContext, Outcome, Port, Sole, declared_ports

_CASE = (
    r"^(?!(?:default|failed|skipped)$)[a-z][a-z0-9_]*$"  # a case is a port, so it must not be named like another port
)
_CASE_IN_WORDS = "small letters, digits and `_`, beginning with a letter; not `default`, `failed` or `skipped`"


class Switch(Node, frozen=True, tag="switch"):
    """Choose a port by the first condition that is true.

    Every case is a port of that name. When no condition is true, the node leaves by `default`.
    """

    cases: Annotated[
        dict[Annotated[str, Meta(pattern=_CASE, description=_CASE_IN_WORDS)], Condition],
        Sole(),
        Meta(
            description="The conditions by name of the port, in the order in which they are checked",
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

    default = Port("No condition is true")

    @classmethod
    def own_ports(cls, config: Mapping[str, Any]) -> dict[str, Port]:
        """A port for each case, by name."""
        own = declared_ports(cls)
        return {name: _case(name) for name in map(str, config) if name not in own}

    def run(self, context: NodeContext) -> Outcome:
        """Leave by the first case whose condition is true, else by `default`."""
        for name, is_true in self.cases.items():
            if is_true:
                return Outcome(name)
        return Outcome("default")


def _case(name: str) -> Port:
    port = Port(f"The condition of `{name}` is the first that is true")
    port.name = name
    return port

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Fixed, Node, NodeContext, Outcome, Port, Sole, Text, declared_ports
from engine.language.draw import MAX_BUCKETS, bucket
from engine.language.kinds import OBJECT, TEXT, Shape
from engine.problem import Problem

_VARIANT = (
    r"^(?!(?:failed|skipped|into|by|name)$)[a-z][a-z0-9_]*$"  # a variant is a port, so none may be named like a key
)
_VARIANT_IN_WORDS = (
    "small letters, digits and `_`, beginning with a letter; not `failed`, `skipped`, `into`, `by`, `name`"
)


class Split(Node, frozen=True, tag="split"):
    """Divide profiles among variants in fixed shares, always in the same way (A/B test).

    Every variant is a port of that name. The variant follows from the profile's id (or from `by`), the name of the
    experiment and the shares alone, as `bucket` computes it: a profile always gets the same one, on every server.
    Profiles that merge get the variant of the id that stays. Experiments of different names divide independently.

    The shares lie side by side in the order in which they are written. To add a variant without moving anyone between
    the others, take its share from one variant and write it directly behind that one: `{red: 50, grey: 50}` becomes
    `{red: 50, grey: 40, blue: 10}`.
    """

    into: Annotated[
        dict[
            Annotated[str, Meta(pattern=_VARIANT, description=_VARIANT_IN_WORDS)],
            Annotated[int, Meta(ge=0, le=MAX_BUCKETS)],
        ],
        Sole(),
        Fixed(),
        Meta(
            description="The shares as whole numbers, by name of the variant: small letters, digits and `_`",
            examples=[{"red": 50, "grey": 50}],
            min_length=1,
        ),
    ]
    by: Annotated[
        Text | int | None,
        Meta(
            description="The value that decides; the profile's id when left out",
            examples=["{{ event.properties.order_id }}"],
        ),
    ] = None
    name: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Fixed(),
        Meta(
            description="The name of the experiment; that of the flow and the node when left out, so that renaming "
            "either divides again",
            examples=["red-button"],
        ),
    ] = None

    uses_profile = True
    knows_place = True
    examples = (
        """\
button:
  split: {red: 50, grey: 50}
""",
        """\
button:
  split: {into: {red: 1, grey: 3}, by: "{{ event.properties.order_id }}", name: red-button}
""",
    )

    @classmethod
    def own_ports(cls, config: Mapping[str, Any]) -> dict[str, Port]:
        """A port for each variant, by name."""
        own = declared_ports(cls)
        return {name: _variant(name) for name in map(str, _shares(config)) if name not in own}

    @classmethod
    def own_output(cls, config: Any) -> Shape:
        """The name of the variant."""
        names = tuple(map(str, _shares(config))) if isinstance(config, Mapping) else ()
        return Shape(OBJECT, {"variant": Shape(TEXT, {}, names)})

    @classmethod
    def own_problems(cls, fields: Mapping[str, Any]) -> Iterable[Problem]:
        """The error of shares that cannot be divided."""
        shares = fields.get("into")
        if isinstance(shares, Mapping) and (reason := _defect(shares)):
            yield Problem(code="H114", message=f"the shares of `split` {reason}", path=("into",))

    def run(self, context: NodeContext) -> Outcome:
        """Leave by the variant; by `failed` without a profile and a value."""
        value = self.by
        if value is None:
            if context.profile is None:
                return self.failed(reason="no profile: name a value under `by`")
            value = context.profile["id"]
        place = bucket(value, sum(self.into.values()), self.name or context.place)
        for name, share in self.into.items():
            place -= share
            if place < 0:
                return Outcome(name, {"variant": name})
        raise AssertionError("a bucket is below the total")


def _defect(shares: Mapping[str, Any]) -> str:
    """The reason why the shares cannot be divided; empty when they can."""
    total = sum(shares.values())
    return "" if 0 < total <= MAX_BUCKETS else f"add up to {total:,}: they must add up to 1 to {MAX_BUCKETS:,}"


def _shares(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the shares as they are written: under `into`, or alone."""
    into = config.get("into")
    return into if isinstance(into, Mapping) else config


def _variant(name: str) -> Port:
    port = Port(f"The variant is `{name}`")
    port.name = name
    return port

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from engine.flow.loop_node import MAX_AT_ONCE, MAX_ITEMS, LoopNode, Turns
from engine.flow.node import Body, End, Fixed, Hidden, Outcome, PerTurn, Port
from engine.language.kinds import A_LIST, A_NUMBER, A_TEXT, ANYTHING, OBJECT, Shape
from engine.language.value import shape_of


class Each(LoopNode, frozen=True, tag="each"):
    """Run nodes of its own once for each item of a list, or for each entry of an object.

    These nodes read `item` and `index` (from 0), the outputs of the nodes before them in the same turn, and the outputs
    of the nodes before the loop. Of an object, `item` is `{key, value}`, in the object's order. The output is
    `{items, count, failed}`: what `collect` has made in each turn that did not fail, the number of turns, and the
    indexes of those that failed.
    """

    items: Annotated[
        list[Any] | dict[str, Any],
        Meta(
            description=f"The list or the object, with at most {MAX_ITEMS:,} items",
            examples=["$.event.properties.items[*]"],
        ),
    ] = field(name="in")
    do: Annotated[
        dict[str, Any],
        Body(),
        Hidden(),
        Meta(
            description="The nodes of a turn by id; a turn starts at the first",
            examples=[{"line": {"event.emit": {"type": "order-line", "properties": {"sku": "{{ item.sku }}"}}}}],
            min_length=1,
        ),
    ]
    collect: Annotated[
        Any,
        PerTurn(),
        Hidden(),
        Meta(
            description="What to collect at the end of each turn, e.g. an output of its nodes. Default: nothing",
            examples=["{{ nodes.price.out.price }}"],
        ),
    ] = None
    at_once: Annotated[
        int,
        Fixed(),
        Meta(
            description="How many turns may wait for answers side by side. With 1, a turn sees what those before it "
            "have changed; with more, none sees the changes of another",
            examples=[4],
            ge=1,
            le=MAX_AT_ONCE,
        ),
    ] = 1
    on_error: Annotated[
        Literal["stop", "skip"],
        Fixed(),
        Meta(
            description="When a turn fails: leave by `failed` and drop all that the loop has done, or drop what this "
            "turn has done and go on",
            examples=["skip"],
        ),
    ] = "stop"

    examples = (
        """\
lines:
  each:
    in: "$.event.properties.items[*]"
    do:
      line: {event.emit: {type: order-line, properties: {sku: "{{ item.sku }}", number: "{{ index }}"}}}
""",
        """\
prices:
  each:
    in: "$.event.properties.items[*]"
    do:
      price: {lookup.http: {target: crm, path: "/prices/{{ item.sku }}"}}
    collect: "{{ nodes.price.out.price }}"
    at_once: 4
    on_error: skip
""",
    )

    done = Port("All turns have ended, or there was none", main=True)
    stopped = End("A node in a turn has ended the run")

    @classmethod
    def own_output(cls, config: Any) -> Shape:
        """A list, a number and a list."""
        return Shape(OBJECT, {"items": A_LIST, "count": A_NUMBER, "failed": A_LIST})

    @classmethod
    def item_shape(cls, config: Mapping[str, Any]) -> Shape:
        """A key and a value, if it is an object that the loop is over."""
        over = shape_of(config.get("in"))
        return Shape(OBJECT, {"key": A_TEXT, "value": ANYTHING}) if over.kinds == OBJECT else ANYTHING

    @classmethod
    def skips(cls, config: Mapping[str, Any]) -> bool:
        """With `on_error: skip`."""
        return bool(config.get("on_error") == "skip")

    @classmethod
    def side_by_side(cls, config: Mapping[str, Any]) -> bool:
        """With `at_once` of more than 1."""
        return bool(config.get("at_once", 1) != 1)

    def turns(self) -> Turns | Outcome:
        """A turn for each item; the outcome `failed` when there are too many."""
        items = self.items
        if len(items) > MAX_ITEMS:
            return self.failed(reason=f"it has {len(items):,} items, and a loop has at most {MAX_ITEMS:,}")
        if isinstance(items, Mapping):
            items = [{"key": key, "value": value} for key, value in items.items()]
        return Turns(items, self.at_once, self.on_error == "skip")

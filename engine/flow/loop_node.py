"""Loop nodes: the parent of node types that run nodes of their own, their *body*, once for each of several items."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from engine.flow.node import Node, Outcome
from engine.language.kinds import ANYTHING, Shape

MAX_ITEMS = 1_000  # turns of one loop
MAX_AT_ONCE = 50  # turns of one loop that are under way at the same time
MAX_NESTED = 2  # loops around a loop
MAX_TURN_NODES = 10_000  # nodes that settle in the turns of one run


class Turns(Struct, frozen=True):
    """The turns that a loop makes: one for each of `items`, in their order."""

    items: Sequence[Any]
    at_once: int = 1  # turns that may be under way at the same time
    skips: bool = False  # a turn that fails is left out; else it fails the loop


class LoopNode(Node, frozen=True, kw_only=True):
    """The parent of all loops. A subclass has a field with the note `Body`, and may have one with the note `PerTurn`.

    The machine runs the body. It leaves by `done` once all turns have ended, by `failed` when one has failed and is not
    skipped, and by `stopped` when a node in a turn has ended the run.
    """

    @classmethod
    def item_shape(cls, config: Mapping[str, Any]) -> Shape:
        """The known shape of `item`. `config` is as written, as in the other methods of the class."""
        return ANYTHING

    @classmethod
    def skips(cls, config: Mapping[str, Any]) -> bool:
        """Whether turns that fail are left out."""
        return False

    @classmethod
    def side_by_side(cls, config: Mapping[str, Any]) -> bool:
        """Whether several turns may be under way at the same time."""
        return False

    def turns(self) -> Turns | Outcome:
        """The turns to make; or the outcome, when there can be none."""
        raise TypeError(f"{type(self).__name__} has no `turns`")


def is_loop(node: type[Node]) -> bool:
    """Whether nodes of this type have a body."""
    return issubclass(node, LoopNode)

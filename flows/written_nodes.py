"""The nodes of a flow's document as they are written, also those in the bodies of loops."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.problem import KeyPath

LOOP: Final = "each"
BODY: Final = "do"


def written_nodes(flow: Any) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """Yield each node of a flow's document that is a map, with its key path; a loop before the nodes in it.

    The document may have errors.
    """
    yield from _nodes_in(flow, "nodes", ())


def _nodes_in(owner: Any, key: str, at: KeyPath) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    nodes = owner.get(key) if isinstance(owner, Mapping) else None
    for id, node in nodes.items() if isinstance(nodes, Mapping) else ():
        if isinstance(node, Mapping):
            yield (*at, key, id), node
            yield from _nodes_in(node.get(LOOP), BODY, (*at, key, id, LOOP))

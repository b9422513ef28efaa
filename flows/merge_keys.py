"""The keys by which the flows of a project merge profiles or hand sessions over, as their documents name them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.flow.plan import Flow, PlannedNode
from engine.language.path import parse_path
from engine.profile.document import Path

MERGE: Final = "profile.merge"
HAND_OVER: Final = "session.hand_over"


def merge_keys(flow: Flow, document: Mapping[str, Any], type: str = MERGE) -> Iterator[tuple[PlannedNode, str, Path]]:
    """Yield each key of the nodes of a type: the node, the path as written, and the path.

    `document` is that of the compiled `flow`. Disabled nodes are left out.
    """
    for id, written in document["nodes"].items():
        keys = written.get(type) if isinstance(written, Mapping) else None
        node = flow.nodes[flow.indexes[str(id)]]
        if isinstance(keys, Mapping) and not node.disabled:
            for text in keys:
                yield node, text, parse_path(text)

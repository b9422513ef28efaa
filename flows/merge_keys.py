"""The keys by which the flows of a project merge profiles or hand sessions over, as their documents name them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.flow.plan import Flow, PlannedNode
from engine.language.path import parse_path
from engine.problem import KeyPath
from engine.profile.document import Path
from flows.written_nodes import written_nodes

MERGE: Final = "profile.merge"
HAND_OVER: Final = "session.hand_over"


def merge_keys(
    flow: Flow, document: Mapping[str, Any], type: str = MERGE
) -> Iterator[tuple[PlannedNode, KeyPath, str, Path]]:
    """Yield each key of the nodes of a type: the node, the key path of its config, the path as written, and the path.

    `document` is that of the compiled `flow`. Disabled nodes are left out.
    """
    for at, written in written_nodes(document):
        keys = written.get(type)
        node = flow.all_nodes[str(at[-1])]
        if isinstance(keys, Mapping) and not node.disabled:
            for text in keys:
                yield node, (*at, type), text, parse_path(text)

"""Mistakes with exclusive keys: merges without `other`, values that are only set, and sessions handed over without."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from engine.flow.plan import Flow
from engine.language.path import parse_path
from engine.problem import Problem
from engine.profile.document import Path
from flows.merge_keys import HAND_OVER, merge_keys
from flows.written_nodes import written_nodes

OTHER: Final = "other"
SET: Final = "profile.set"


def unwired_other(flow: Flow, document: Mapping[str, Any], exclusive: Collection[Path]) -> Iterator[Problem]:
    """Yield a problem for each node of `flow` that merges by one of the `exclusive` keys without an edge from `other`.

    `document` is that of `flow`.
    """
    reported: set[str] = set()
    for node, at, text, path in merge_keys(flow, document) if exclusive else ():
        if path in exclusive and not node.outs.get(OTHER) and node.id not in reported:
            reported.add(node.id)
            yield Problem(
                code="H420",
                message=f"`{text}` is exclusive, and no node follows for a profile that has another value of it",
                path=(*at, text),
                on="key",
                help=f"wire the port: `next: {{…, {OTHER}: some_node}}` in `{node.id}`",
                severity="warning",
            )


def handed_over_by_others(flow: Flow, document: Mapping[str, Any], exclusive: Collection[Path]) -> Iterator[Problem]:
    """Yield a problem for each node of `flow` that hands the session over by a key that is not `exclusive`."""
    for _, at, text, path in merge_keys(flow, document, HAND_OVER):
        if path not in exclusive:
            yield Problem(
                code="H428",
                message=f"`{text}` is not exclusive, so one person may have several values of it",
                path=(*at, text),
                on="key",
                help=f"declare the key in headrace.yaml: `keys: {{{text}: {{exclusive: true}}}}`",
            )


def only_set(document: Mapping[str, Any], exclusive: Collection[Path]) -> Iterator[Problem]:
    """Yield a problem for each node that sets a value of an `exclusive` key. `document` is that of a compiled flow."""
    for at, written in written_nodes(document) if exclusive else ():
        config = written.get(SET)
        values = config.get("values", config) if isinstance(config, Mapping) else None
        for text in values if isinstance(values, Mapping) else ():
            if parse_path(str(text)) in exclusive:
                inside = () if values is config else ("values",)
                yield Problem(
                    code="H429",
                    message=f"`{text}` is exclusive, and a value that is only set does not count as one",
                    path=(*at, SET, *inside, text),
                    on="key",
                    help=f"bring the key by `profile.merge: {{{text}: …}}`, which writes the value, too",
                    severity="warning",
                )

"""Deliveries that never leave: those of sources in `mode: test` to targets without a test part."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.flow.plan import Flow
from engine.problem import KeyPath, Problem
from engine.project.source import Source, Target
from flows.written_nodes import written_nodes

_TYPES = "deliver."


def dropped_deliveries(
    flow: Flow, data: Any, sources: Iterable[Source], targets: Mapping[str, Target]
) -> Iterator[Problem]:
    """A warning for each node of a flow that delivers to a target without a test part for a source in `mode: test`."""
    if flow.trigger.schedule is not None:
        return  # it has no source
    trying = [each.source for each in sources if each.mode == "test" and flow.trigger.matches_source(each.source)]
    if not trying:
        return
    for name, at in _deliveries(data):
        target = targets.get(name)
        if target is not None and target.test is None:
            message = (
                f"for events of `{trying[0]}`, which is in `mode: test`, nothing is sent: `{name}` has no test part"
            )
            help = f"add `test: {{url: …}}` to the target, or leave it so if nothing is to be sent to `{name}`"
            yield Problem(code="H439", message=message, path=at, help=help, severity="warning")


def _deliveries(flow: Mapping[str, Any]) -> Iterator[tuple[str, KeyPath]]:
    """The target of each node that delivers, with its key path."""
    for at, node in written_nodes(flow):
        for key, config in node.items():
            if str(key).startswith(_TYPES) and isinstance(config, Mapping) and isinstance(config.get("target"), str):
                yield config["target"], (*at, key, "target")

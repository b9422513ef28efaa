"""The flows that an event does not trigger by its type, as the debugger shows them."""

from collections.abc import Sequence

from engine.flow.plan import Flow
from engine.tracking.unit.effects import FlowResult
from engine.tracking.unit.event import UnitEvent


def quiet_results(event: UnitEvent, quiet: Sequence[Flow], *, listed: bool) -> list[FlowResult]:
    """Return the results of the flows whose event type did not match: one for each if `listed`, else one for all."""
    if listed:
        return [FlowResult(event, flow.name, flow.version, "not-triggered", _mismatch(event, flow)) for flow in quiet]
    if not quiet:
        return []
    others = "1 other flow takes" if len(quiet) == 1 else f"{len(quiet)} other flows take"
    note = f'{others} other event types (debugger: "all" lists them)'
    return [FlowResult(event, "", "", "not-triggered", {"reason": {"expression": note, "values": {}}})]


def _mismatch(event: UnitEvent, flow: Flow) -> dict[str, object]:
    patterns = ", ".join(flow.trigger.events) if flow.trigger.schedule is None else "nothing: the flow has a schedule"
    return {"reason": {"expression": f"event.type matches {patterns}", "values": {"event.type": event.type}}}

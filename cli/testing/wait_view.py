"""An open wait as a flow test sees it: its flow, for which events it waits, and until when."""

from typing import Any

from cli.testing.delivery_view import shown_delay
from engine.language.duration import read_duration
from engine.language.moment import date
from engine.language.written_time import written_time
from engine.profile.document import WaitStub
from flows.case import Wait, present_keys


def expected_wait(wait: Wait, zone: str) -> dict[str, Any]:
    """Return the parts that a case expects of a wait, in the form in which `wait_view` has them."""
    parts = {name: getattr(wait, name) for name in present_keys(wait)}
    if isinstance(wait.on, str):
        parts["on"] = (wait.on,)
    if isinstance(wait.until, str):
        ms = read_duration(wait.until)
        parts["until"] = written_time(date(wait.until, zone)) if ms is None else shown_delay(ms)
    return {"for" if name == "on" else name: list(part) if name == "on" else part for name, part in parts.items()}


def wait_view(stub: WaitStub, wait: Wait, now: int) -> dict[str, Any]:
    """Return the parts of an open wait; its end as a time, or from `now` (ms) on, as the case expects it."""
    moment = isinstance(wait.until, str) and read_duration(wait.until) is None
    until = written_time(stub.due) if moment else shown_delay(max(0, stub.due - now))
    return {"flow": stub.flow, "for": list(stub.on), "until": until}

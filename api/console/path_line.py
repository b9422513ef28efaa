"""The path line of a run: its nodes in order, each with the port by which it left, unless that is `done`."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class PathPart(Struct, frozen=True):
    """A node of the path. `joint` stands in front of it: `›` follows the one before, `‖` is another branch."""

    joint: str
    node: str
    port: str  # "" for `done`
    state: str  # "", "failed" (it ended the run) or "warned" (the run went on)
    turns: int = 0


def path_of(trace: Mapping[str, Any]) -> list[PathPart]:
    """Return the parts of a run's path, from the document of its trace."""
    ended = trace.get("failed_at") if trace.get("outcome") == "failed" else None
    parts: list[PathPart] = []
    previous = None
    for step in trace.get("steps", ()):
        other = bool(step.get("from")) and previous is not None and previous not in step["from"]
        state = "" if step["port"] != "failed" else "failed" if step["node"] == ended else "warned"
        turns = len(step.get("turns", ())) + step.get("turns_not_shown", 0)
        joint = "" if previous is None else "‖" if other else "›"
        parts.append(PathPart(joint, step["node"], "" if step["port"] == "done" else step["port"], state, turns))
        previous = step["node"]
    return parts

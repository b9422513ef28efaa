"""Tasks: scripts that run by themselves, fetch something, and store events."""

from typing import Final

from msgspec import Struct

from engine.flow.schedule import Schedule
from engine.project.script import Script

MAIN: Final = "main"  # the function that a firing calls, with the task's params
DEADLINE_MS: Final = 120_000  # of one run, at most and by default


class ScriptTask(Struct, frozen=True, kw_only=True):
    """A task of a project: one file in `tasks/`. Its events are those of `source`."""

    name: str
    source: str
    script: Script
    schedule: Schedule

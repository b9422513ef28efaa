"""The runner of a project's scripts in a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from effects.clock import SystemClock
from effects.http import HttpPerformer
from effects.javascript.runner import JavaScriptRunner
from effects.javascript.scripting import javascript
from effects.limited_lookups import LimitedLookups
from engine.ports.script import Scripting
from engine.project.project import Project


@asynccontextmanager
async def opened_scripting(project: Project) -> AsyncIterator[Scripting]:
    """Open what runs the scripts of a project, as long as the context is open."""
    clock, runner = SystemClock(), JavaScriptRunner()
    client = HttpPerformer(project.targets, clock)
    try:
        yield javascript(runner, LimitedLookups(client, project.targets, clock), lambda: project.targets)
    finally:
        await runner.close()
        await client.close()

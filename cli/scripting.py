"""What runs the scripts of a project in a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.ports.script import NO_SCRIPTS, Scripting
from engine.project.project import Project


@asynccontextmanager
async def opened_scripting(project: Project) -> AsyncIterator[Scripting]:
    """Open what runs the scripts of a project, as long as the context is open."""
    yield NO_SCRIPTS

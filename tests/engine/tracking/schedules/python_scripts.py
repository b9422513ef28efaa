"""Scripts in Python in place of JavaScript: the laws of tasks do not depend on what a script is written in."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from engine.ports.script import ScriptLine, ScriptResult, ScriptWorld
from engine.project.script import Script

Main = Callable[[dict[str, Any], ScriptWorld], Awaitable[None]]


class PythonScripts:
    """Runs one Python function as the `main` of every script."""

    def __init__(self, main: Main, log: Sequence[str] = ()) -> None:
        self.main = main
        self.log = tuple([ScriptLine("info", text) for text in log])
        self.limits: list[int] = []

    async def run(
        self, script: Script, function: str, arguments: Sequence[Any], world: ScriptWorld, limit_ms: int
    ) -> ScriptResult:
        assert function == "main"
        self.limits.append(limit_ms)
        await self.main(arguments[0], world)
        return ScriptResult(value=None, log=self.log)

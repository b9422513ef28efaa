"""All that scripts need of a process: JavaScript, and a way out through the targets of the project."""

from collections.abc import Callable, Mapping

from effects.javascript.fetch import ScriptFetch
from effects.javascript.runner import JavaScriptRunner
from engine.ports.script import Fetch, Scripting
from engine.ports.world import Performer
from engine.project.script import Script
from engine.project.source import Target


def javascript(
    runner: JavaScriptRunner, performer: Performer, targets: Callable[[], Mapping[str, Target]]
) -> Scripting:
    """Return what runs scripts in JavaScript; `targets` are those of the project that is in use."""

    def way_out(script: Script) -> Fetch:
        return ScriptFetch(performer, targets(), script.file)

    return Scripting(runner, way_out)

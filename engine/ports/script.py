"""The Protocol through which the engine runs an author's script, in a process of its own that can be killed.

A script is foreign code: it can loop, take memory and crash. So it gets data and returns data; its bindings are asks to
the process that runs it (`ScriptWorld`), and whatever it does costs the one call.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from engine.project.script import Script


class ScriptLine(Struct, frozen=True):
    """A line that a script has logged. `level` is debug, info, warn or error."""

    level: str
    text: str


class ScriptFailed(Exception):
    """A script threw, has no function of the wanted name, took too much memory, or crashed. `reason` is for authors.

    `log` has the lines that it had logged until then, as far as they are known.
    """

    def __init__(self, reason: str, log: tuple[ScriptLine, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log = log


class ScriptTimedOut(ScriptFailed):
    """A script took longer than it may; its process has been killed."""


class ScriptBusy(ScriptFailed):
    """Too many calls of a script are waiting already: this one was not begun, and may be tried later."""


class ScriptsNotInstalled(ScriptFailed):
    """The extra `headrace[js]` is not installed; the message says how to install it."""


class ScriptRequest(Struct, frozen=True, kw_only=True):
    """An HTTP request of a script. Its address decides which target of the project answers it, or that none does."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: str | None = None


class ScriptResponse(Struct, frozen=True):
    """The answer to a request of a script, as the script sees it."""

    status: int
    body: str
    headers: Mapping[str, str] = {}


class ScriptWorld(Protocol):
    """The world of one call, in the calling process: its bindings `http`, `config` and `eventStore` reach this."""

    async def fetch(self, request: ScriptRequest) -> ScriptResponse:
        """Answer a request through the target that its address belongs to. Raises `ScriptFailed`."""

    async def state(self, name: str) -> Any:
        """Return what earlier calls have kept under a name; None if nothing."""

    async def keep(self, name: str, value: Any, *, only_new: bool = False) -> None:
        """Keep a value, or only if there is none yet. It holds once the call's events are stored."""

    async def store_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take events, each `{collection, properties}`. Raises `ScriptFailed` for too many."""


class ScriptResult(Struct, frozen=True, kw_only=True):
    """The result of a call: the value it has returned, as plain data, and the lines it has logged."""

    value: Any
    log: tuple[ScriptLine, ...] = ()


class ScriptRunner(Protocol):
    """Runs scripts. Calls of one script run one after another, in one process that is kept between them."""

    async def run(
        self, script: Script, function: str, arguments: Sequence[Any], world: ScriptWorld, limit_ms: int
    ) -> ScriptResult:
        """Call a function of a script with plain data. Raises `ScriptFailed`; its log then stands in the server's."""


Fetch = Callable[[ScriptRequest], Awaitable[ScriptResponse]]  # raises `ScriptFailed`


class Scripting(Struct, frozen=True):
    """All that scripts need of a process: who runs them, and the way out of each, to the targets of the project."""

    runner: ScriptRunner
    way_out: Callable[[Script], Fetch]


class NoScripts:
    """Runs no script, in a process that has nothing to run it with."""

    async def run(
        self, script: Script, function: str, arguments: Sequence[Any], world: ScriptWorld, limit_ms: int
    ) -> ScriptResult:
        """Raise `ScriptsNotInstalled`."""
        raise ScriptsNotInstalled(f"`{script.file}` cannot run here: install the extra `headrace[js]`")


def no_way_out(script: Script) -> Fetch:
    """Return what answers no request of a script."""

    async def refuse(request: ScriptRequest) -> ScriptResponse:
        raise ScriptFailed(f"no target answers {request.url}")

    return refuse


NO_SCRIPTS: Final = Scripting(NoScripts(), no_way_out)

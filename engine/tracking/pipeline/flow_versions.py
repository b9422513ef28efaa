"""Earlier versions of flows: a run that has waited goes on with the version that it began with."""

from collections.abc import Callable
from typing import Final

from engine.flow.plan import Flow
from engine.ports.store import Reads
from engine.ports.waiting_run import WaitingRun
from engine.project.project import Project
from engine.tracking.unit.waits import StoredWait

MAX_KNOWN: Final = 256  # versions


class FlowVersions:
    """The versions of flows that waiting runs need, compiled from their stored texts, each once for a project."""

    def __init__(self, store: Reads, project: Callable[[], Project]) -> None:
        self._store = store
        self._project = project
        self._compiled: dict[str, Flow | str] = {}
        self._of: Project | None = None  # the project with whose names they are compiled

    async def with_flow(self, record: WaitingRun) -> StoredWait:
        """Return a waiting run with its flow, or with the reason why it has none. Raises `Unavailable`."""
        found = await self.find(record.flow, record.flow_version)
        return StoredWait(record, None, found) if isinstance(found, str) else StoredWait(record, found)

    def is_gone(self, name: str) -> bool:
        """Whether the project has no flow of this name, not even one with errors."""
        project = self._project()
        return name not in project.broken_flows and all(flow.name != name for flow in project.flows)

    async def find(self, name: str, version: str) -> Flow | str:
        """Return a version of a flow, or why there is none. Raises `Unavailable`."""
        project = self._project()
        if self.is_gone(name):
            return f"the project has no flow `{name}` any more"
        current = next((flow for flow in project.flows if (flow.name, flow.version) == (name, version)), None)
        if current is not None:
            return current
        if self._of is not project or len(self._compiled) >= MAX_KNOWN:
            self._compiled, self._of = {}, project
        if version not in self._compiled:
            text = await self._store.flow_version(version)
            if text is None:
                return f"the text of version {version[:16]} of the flow is not in the store"
            self._compiled[version] = project.compile_text(text)
        return self._compiled[version]

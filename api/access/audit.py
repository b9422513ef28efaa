"""The audit log: every action of an operator leaves an entry, through `audited`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import structlog
from litestar import Litestar
from msgspec import structs

from api.access.principal import Connection, Principal, principal_of
from effects.ids import new_id
from engine.ports.audit import AuditEntry, AuditOutcome
from engine.ports.kinds import AUDIT
from engine.ports.records import Unit
from engine.ports.store import Store, Unavailable
from engine.ports.world import Clock

MAX_SUBJECTS: Final = 50  # that an entry names; `detail` counts the rest
MAX_REASON: Final = 500  # characters of a reason

log = structlog.get_logger("headrace.audit")


class Notes:
    """Notes that an action makes for its entry while it is done."""

    def __init__(self, subjects: tuple[str, ...], reason: str) -> None:
        self.subjects = subjects
        self.reason = reason
        self.detail = ""


class AuditLog:
    """Writes entries to the store; if it `logs`, also to the server's log, for those that the store cannot take."""

    def __init__(self, store: Store, clock: Clock, *, logs: bool = True) -> None:
        self._store = store
        self._clock = clock
        self._logs = logs

    async def write(self, principal: Principal, action: str, outcome: AuditOutcome, notes: Notes) -> None:
        """Write an entry. Raises `Unavailable`."""
        subjects = notes.subjects
        more = f"and {len(subjects) - MAX_SUBJECTS} more" if len(subjects) > MAX_SUBJECTS else ""
        entry = AuditEntry(
            id=new_id(),
            at=self._clock.now(),
            who=principal.name,
            role=principal.role,
            via=principal.via,
            action=action,
            outcome=outcome,
            subjects=subjects[:MAX_SUBJECTS],
            reason=notes.reason.strip()[:MAX_REASON],
            detail=", ".join(filter(None, (notes.detail, more))),
        )
        if self._logs:
            log.info("an action", **{name: value for name, value in structs.asdict(entry).items() if value})
        await self._store.commit(Unit(records={AUDIT.name: (entry,)}))

    @asynccontextmanager
    async def action(self, by: Principal, action: str, *subjects: str, reason: str = "") -> AsyncIterator[Notes]:
        """Do an action and write its entry: `done`, or `failed` if it raises.

        `subjects` are names like `flow/greet`, without personal data. The block may add to the `Notes` that it gets.
        An entry that the store cannot take is an error of the request, although the action is done: the server's log
        has the entry.
        """
        notes = Notes(subjects, reason)
        try:
            yield notes
        except Exception as error:
            notes.detail = notes.detail or type(error).__name__
            try:
                await self.write(by, action, "failed", notes)
            except Unavailable as unavailable:
                log.warning("an entry of the audit log is not stored", reason=unavailable.reason)
            raise
        await self.write(by, action, "done", notes)


def audit_log(app: Litestar) -> AuditLog:
    """Return the audit log of an application."""
    found: AuditLog = app.state.directory.audit
    return found


def audited(
    connection: Connection, action: str, *subjects: str, reason: str = ""
) -> AbstractAsyncContextManager[Notes]:
    """Return what `AuditLog.action` does, in the name of the sender of a request."""
    return audit_log(connection.app).action(principal_of(connection), action, *subjects, reason=reason)

"""All that a server knows of those who may use it: users, their logins and passwords, access keys, the audit log."""

from collections.abc import Callable

from litestar import Litestar

from api.access.access_keys import Keys
from api.access.attempts import Attempts
from api.access.audit import AuditLog
from api.access.logins import Logins
from api.access.mask import Mask, Masks
from api.access.passwords import Passwords
from api.access.principal import Connection, principal_of
from api.access.users import Users
from engine.ports.store import Store
from engine.ports.world import Clock
from engine.project.project import Project


class Directory:
    """The parts of it, on one store. `project` returns the one that is served now."""

    def __init__(self, store: Store, clock: Clock, project: Callable[[], Project] = Project) -> None:
        self.clock = clock
        self._project = project
        self.masks = Masks(store, project)
        self.users = Users(store, clock)
        self.logins = Logins(store, self.users, clock)
        self.keys = Keys(store, clock)
        self.passwords = Passwords()
        self.attempts = Attempts(clock)
        self.audit = AuditLog(store, clock)

    def public_url(self) -> str:
        """Return the address of the server as others know it, if the project says it."""
        return self._project().settings.public_url

    async def close(self) -> None:
        """End the threads."""
        await self.passwords.close()


def directory_of(app: Litestar) -> Directory:
    """Return the directory of an application."""
    found: Directory = app.state.directory
    return found


def mask_of(connection: Connection) -> Mask:
    """Return the mask of personal data for the sender of a request that the guard has admitted."""
    return directory_of(connection.app).masks.of(principal_of(connection))

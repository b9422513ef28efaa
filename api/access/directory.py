"""All that a server knows of those who may use it: users, their logins and passwords, access keys, the audit log."""

from collections.abc import Callable

from litestar import Litestar

from api.access.access_keys import Keys
from api.access.attempts import Attempts
from api.access.audit import AuditLog
from api.access.logins import Logins
from api.access.passwords import Passwords
from api.access.users import Users
from engine.ports.store import Store
from engine.ports.world import Clock


class Directory:
    """The parts of it, on one store. `public_url` returns the address of the server as others know it, or nothing."""

    def __init__(self, store: Store, clock: Clock, public_url: Callable[[], str] = str) -> None:
        self.store = store
        self.clock = clock
        self.public_url = public_url
        self.users = Users(store, clock)
        self.logins = Logins(store, self.users, clock)
        self.keys = Keys(store, clock)
        self.passwords = Passwords()
        self.attempts = Attempts(clock)
        self.audit = AuditLog(store, clock)

    async def close(self) -> None:
        """End the threads."""
        await self.passwords.close()


def directory_of(app: Litestar) -> Directory:
    """Return the directory of an application."""
    found: Directory = app.state.directory
    return found

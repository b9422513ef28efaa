"""Changes of users and access keys in the name of an administrator, each with its entry in the audit log."""

from api.access.access_keys import Keys
from api.access.audit import AuditLog
from api.access.directory import directory_of
from api.access.principal import Connection, Principal, principal_of
from api.access.role import Role
from api.access.users import Users


class Administration:
    """The changes. Each raises `Refused`, with the reason, if it is not made; then the entry says that it failed."""

    def __init__(self, users: Users, keys: Keys, audit: AuditLog, by: Principal) -> None:
        self._users = users
        self._keys = keys
        self._audit = audit
        self._by = by

    async def add_user(self, name: str, role: Role) -> str:
        """Make a user. Returns the secret of the link that sets the password."""
        async with self._audit.action(self._by, "add a user", f"user/{name}") as notes:
            notes.detail = f"as {role}"
            return await self._users.add(name, role)

    async def give_role(self, name: str, role: Role) -> None:
        """Change the role of a user, which ends the user's logins."""
        async with self._audit.action(self._by, "change the role of a user", f"user/{name}") as notes:
            notes.detail = f"to {role}"
            await self._users.give_role(name, role)

    async def reset(self, name: str) -> str:
        """Void the password of a user. Returns the secret of the link that sets a new one."""
        async with self._audit.action(self._by, "reset the password of a user", f"user/{name}"):
            return await self._users.reset(name)

    async def remove_user(self, name: str) -> None:
        """Remove a user."""
        async with self._audit.action(self._by, "remove a user", f"user/{name}"):
            await self._users.remove(name)

    async def add_key(self, name: str, role: Role, *, personal: bool) -> str:
        """Make an access key and return it."""
        async with self._audit.action(self._by, "add an access key", f"key/{name}") as notes:
            notes.detail = f"as {role}{', with personal data' if personal else ''}"
            return await self._keys.add(name, role, self._by.name, personal=personal)

    async def remove_key(self, name: str) -> None:
        """Revoke an access key."""
        async with self._audit.action(self._by, "revoke an access key", f"key/{name}"):
            await self._keys.remove(name)


def administration_of(connection: Connection) -> Administration:
    """Return the changes in the name of the sender of a request."""
    directory = directory_of(connection.app)
    return Administration(directory.users, directory.keys, directory.audit, principal_of(connection))

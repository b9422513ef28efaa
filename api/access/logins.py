"""Logins: the sessions of users. A browser keeps a random secret in a cookie, and the store its digest."""

import secrets
from typing import Final

from msgspec import Struct, structs

from api.access.accounts import User
from api.access.digest import digest
from api.access.users import Users, new_secret
from engine.ports.kinds import LOGINS
from engine.ports.login import Login
from engine.ports.records import RecordDelete, RecordWrite, Unit
from engine.ports.store import Conflict, Store
from engine.ports.world import Clock

IDLE_MS: Final = 12 * 3_600_000  # without a request for so long, a login has ended
LONGEST_MS: Final = 7 * 86_400_000  # a login ends after that, used or not
TOUCH_MS: Final = 5 * 60_000  # how exactly the last use is known
PERSONAL_MS: Final = 15 * 60_000  # how long personal data is shown
SWEPT: Final = 100  # ended logins that are deleted at once


class Known(Struct, frozen=True):
    """A login that is valid, with its user."""

    login: Login
    user: User


class Logins:
    """The logins of a store."""

    def __init__(self, store: Store, users: Users, clock: Clock) -> None:
        self._store = store
        self._users = users
        self._clock = clock

    async def begin(self, user: User) -> str:
        """Begin a login, and delete some that have ended. Returns the secret for the browser. Raises `Unavailable`."""
        secret, now = new_secret(), self._clock.now()
        login = Login(
            id=digest(secret).hex(),
            user=user.name,
            stamp=user.stamp,
            csrf=secrets.token_urlsafe(32),
            at=now,
            expires=now + LONGEST_MS,
            idle_at=now + IDLE_MS,
        )
        await self._store.commit(Unit(changes=(RecordWrite(LOGINS, login, 0),)))
        for ended in await self._store.due_records(LOGINS, now, SWEPT):
            await self.end(ended)
        return secret

    async def find(self, secret: str) -> Known | None:
        """Return the valid login of a secret, and note its use; None without one. Raises `Unavailable`."""
        login, now = await self._store.record(LOGINS, digest(secret).hex()), self._clock.now()
        if login is None:
            return None
        user = await self._users.one(login.user)
        if user is None or user.stamp != login.stamp or now >= min(login.expires, login.idle_at):
            await self.end(login)
            return None
        idle_at = min(now + IDLE_MS, login.expires)
        if idle_at - login.idle_at < TOUCH_MS:
            return Known(login, user)
        return Known(await self._written(structs.replace(login, idle_at=idle_at)), user)

    async def show_personal(self, login: Login) -> Login:
        """Show personal data in a login for `PERSONAL_MS`. Raises `Unavailable`."""
        return await self._written(structs.replace(login, personal_until=self._clock.now() + PERSONAL_MS))

    async def hide_personal(self, login: Login) -> Login:
        """Show no personal data in a login any longer. Raises `Unavailable`."""
        return await self._written(structs.replace(login, personal_until=0))

    async def end(self, login: Login) -> None:
        """End a login: delete it. Raises `Unavailable`."""
        stored: Login | None = login
        while stored is not None:
            try:
                await self._store.commit(Unit(changes=(RecordDelete(LOGINS, stored.id, stored.version),)))
                return
            except Conflict:
                stored = await self._store.record(LOGINS, login.id)

    async def _written(self, login: Login) -> Login:
        """Return a login as it is stored after a change; the change is left out if another one came before it."""
        changed = structs.replace(login, version=login.version + 1)
        try:
            await self._store.commit(Unit(changes=(RecordWrite(LOGINS, changed, login.version),)))
        except Conflict:
            return login
        return changed

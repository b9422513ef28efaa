"""Users: making, inviting, changing and removing them. A password is only ever set by its user, through a link."""

import hmac
import secrets
from collections.abc import Callable
from typing import Final

from msgspec import structs

from api.access.accounts import MAX_USERS, Accounts, OneTimeLink, Refused, User, accounts_of, require_name
from api.access.digest import digest
from api.access.role import Role
from engine.ports.store import Notes
from engine.ports.world import Clock

LINK_MS: Final = 24 * 3_600_000  # how long a one-time link is valid
ANSWER: Final = "the link is not valid: it has been used, has expired, or is not complete"


class Users:
    """The users of a store."""

    def __init__(self, store: Notes, clock: Clock) -> None:
        self._stored = accounts_of(store)
        self._clock = clock

    async def all(self) -> list[User]:
        """Return all users, by name. Raises `Unavailable`."""
        return sorted((await self._stored.read()).users.values(), key=lambda user: user.name)

    async def one(self, name: str) -> User | None:
        """Return a user. Raises `Unavailable`."""
        return (await self._stored.read()).users.get(name)

    async def add(self, name: str, role: Role) -> str:
        """Make a user without a password. Returns the secret of a one-time link. Raises `Refused`."""
        small, secret = require_name(name), new_secret()

        def change(accounts: Accounts) -> Accounts:
            if small in accounts.users:
                raise Refused(f"there is a user `{small}` already")
            if len(accounts.users) >= MAX_USERS:
                raise Refused(f"there are {MAX_USERS} users, which is the most: remove one")
            user = User(small, role, new_stamp(), self._clock.now(), link=self._link(secret))
            return structs.replace(accounts, users={**accounts.users, small: user}, setup=None)

        await self._stored.change(change)
        return secret

    async def reset(self, name: str) -> str:
        """Void a user's password and end the logins. Returns the secret of a link for a new one. Raises `Refused`."""
        secret = new_secret()
        await self._change_user(
            name, lambda user: structs.replace(user, password="", stamp=new_stamp(), link=self._link(secret))
        )
        return secret

    async def give_role(self, name: str, role: Role) -> None:
        """Change a user's role, which ends the user's logins. Raises `Refused`."""

        def change(accounts: Accounts) -> Accounts:
            user = _known(accounts, name)
            if role != "admin":
                _require_other_admin(accounts, user)
            changed = structs.replace(user, role=role, stamp=new_stamp())
            return structs.replace(accounts, users={**accounts.users, user.name: changed})

        await self._stored.change(change)

    async def remove(self, name: str) -> None:
        """Remove a user, which ends the user's logins. Raises `Refused`."""

        def change(accounts: Accounts) -> Accounts:
            user = _known(accounts, name)
            _require_other_admin(accounts, user)
            return structs.replace(
                accounts, users={key: each for key, each in accounts.users.items() if key != user.name}
            )

        await self._stored.change(change)

    async def set_password(self, name: str, hash: str, *, instead_of: str) -> User:
        """Store the hash of a password in place of another one, which ends the logins. Raises `Refused`."""

        def new(user: User) -> User:
            if user.password != instead_of:
                raise Refused("the password has been changed meanwhile")
            return structs.replace(user, password=hash, stamp=new_stamp(), link=None)

        return await self._change_user(name, new)

    async def strengthen(self, name: str, hash: str, *, instead_of: str) -> None:
        """Store a stronger hash of the same password, if it has not been changed."""

        def new(user: User) -> User:
            return structs.replace(user, password=hash) if user.password == instead_of else user

        await self._change_user(name, new)

    # ---- one-time links ----

    async def begin_setup(self) -> str | None:
        """Return the secret of a link that makes the first administrator; None if there are users.

        The link takes the place of an earlier one. Raises `Unavailable`.
        """
        if (await self._stored.read()).users:
            return None
        secret = new_secret()

        def change(accounts: Accounts) -> Accounts:
            return accounts if accounts.users else structs.replace(accounts, setup=self._link(secret))

        return None if (await self._stored.change(change)).users else secret

    async def invited(self, secret: str) -> User:
        """Return the user whose link has a secret; for the link of the setup one without a name. Raises `Refused`."""
        return self._invited(await self._stored.read(), secret)

    async def redeem(self, secret: str, name: str, hash: str) -> User:
        """Store the hash of a password, and use up the link with this secret. Returns the user. Raises `Refused`.

        `name` is used by the link of the setup only.
        """
        made: list[User] = []

        def change(accounts: Accounts) -> Accounts:
            invited = self._invited(accounts, secret)
            named = invited.name or require_name(name)
            user = structs.replace(invited, name=named, password=hash, stamp=new_stamp(), link=None)
            made.append(user)
            return structs.replace(accounts, users={**accounts.users, named: user}, setup=None)

        await self._stored.change(change)
        return made[-1]

    def _invited(self, accounts: Accounts, secret: str) -> User:
        now, given = self._clock.now(), digest(secret).hex()
        if accounts.setup is not None and not accounts.users and _opens(accounts.setup, given, now):
            return User("", "admin", new_stamp(), now)
        for user in accounts.users.values():
            if user.link is not None and _opens(user.link, given, now):
                return user
        raise Refused(ANSWER)

    def _link(self, secret: str) -> OneTimeLink:
        return OneTimeLink(digest(secret).hex(), self._clock.now() + LINK_MS)

    async def _change_user(self, name: str, new: Callable[[User], User]) -> User:
        def change(accounts: Accounts) -> Accounts:
            user = _known(accounts, name)
            return structs.replace(accounts, users={**accounts.users, user.name: new(user)})

        return (await self._stored.change(change)).users[require_name(name)]


def new_secret() -> str:
    """Return a secret of 32 random bytes, for an address."""
    return secrets.token_urlsafe(32)


def new_stamp() -> str:
    """Return a new stamp of a user."""
    return secrets.token_hex(8)


def _opens(link: OneTimeLink, given: str, now: int) -> bool:
    return hmac.compare_digest(link.digest, given) and now < link.expires


def _known(accounts: Accounts, name: str) -> User:
    user = accounts.users.get(name.strip().lower())
    if user is None:
        raise Refused("there is no such user")
    return user


def _require_other_admin(accounts: Accounts, user: User) -> None:
    others = [each for each in accounts.users.values() if each.role == "admin" and each.password and each is not user]
    if user.role == "admin" and not others:
        raise Refused(f"`{user.name}` is the only administrator with a password: make another one first")

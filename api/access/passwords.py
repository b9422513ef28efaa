"""Passwords: hashed with Argon2id, in threads of their own, few at once."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.access.accounts import Refused, User
from engine.ports.store import Overloaded

LEAST: Final = 12  # characters
MOST: Final = 256
AT_ONCE: Final = 2  # hashes that are computed at the same time; each takes 64 MiB
WAITING: Final = 16  # requests that may wait for one

# Of a password that has been thrown away. It is compared where there is no user, so that this takes as long.
NO_ONES: Final = "$argon2id$v=19$m=65536,t=3,p=4$jxNsANcPEhXPjhGEbyqb0g$E2LXXP1p89JWNgdVdKKB/UQW/ECPNF3ptEFodWJqXJM"


class Passwords:
    """Hashes and compares passwords."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()  # the second recommendation of RFC 9106
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords")  # begins no thread before one is needed
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the hash of a password. Raises `Overloaded`."""
        return str(await self._in_thread(lambda: self._hasher.hash(_normal(password))))

    async def fits(self, password: str, user: User | None) -> bool:
        """Return whether a password is the user's. It takes as long without a user. Raises `Overloaded`."""
        stored = user.password if user is not None and user.password else NO_ONES
        known = stored is not NO_ONES
        fits = await self._in_thread(lambda: self._verify(stored, _normal(password[:MOST])))
        return fits is True and known and len(password) <= MOST

    def is_weak(self, hash: str) -> bool:
        """Return whether a hash was made with other parameters than new ones are."""
        return self._hasher.check_needs_rehash(hash)

    async def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], object]) -> object:
        if self._waiting >= WAITING:
            raise Overloaded("too many passwords are being compared: try it again", retry_after=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def require_strong(password: str, name: str) -> None:
    """Raise `Refused` for a password that is too short, too long, or made of the user's name."""
    if len(password) < LEAST:
        raise Refused(f"a password has {LEAST} or more characters")
    if len(password) > MOST:
        raise Refused(f"a password has {MOST} characters at most")
    rest = password.lower().replace(name, "") if name else password
    if len(set(password)) < 5 or len(rest) < 6:
        raise Refused("this password is easily guessed: take another one, e.g. four words")


def _normal(password: str) -> str:
    """Return a password in the one form that all keyboards agree on: an accented letter may be one sign or two."""
    return unicodedata.normalize("NFKC", password)

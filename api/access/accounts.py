"""Users and access keys as they are stored: one note for each of the two, changed by compare-and-set.

All processes of a server, and both kinds of stores, see the same note. It is no kind of record: it is neither searched
nor exported.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Struct, field, structs

from api.access.role import Role
from engine.ports.store import Contention, Notes

MAX_USERS: Final = 200
MAX_KEYS: Final = 200
TRIES: Final = 20
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
NAME_RULE: Final = "a name has 1 to 64 characters: a-z, 0-9, and behind the first one also . _ @ + -"


class Refused(Exception):
    """A change to users or access keys that is not made, with the reason and the remedy."""


class OneTimeLink(Struct, frozen=True):
    """A link by which a password is set, once and until `expires` (ms): the digest of its secret (hex)."""

    digest: str
    expires: int


class User(Struct, frozen=True, omit_defaults=True):
    """A user. `password` is an Argon2 hash, empty before there is one.

    A change of the password or the role changes `stamp`, which ends all logins of the user.
    """

    name: str
    role: Role
    stamp: str
    created: int
    password: str = ""
    link: OneTimeLink | None = None


class AccessKey(Struct, frozen=True, omit_defaults=True):
    """A key of a program for the API. `digest` is that of the key (hex). `personal` shows it personal data."""

    name: str
    role: Role
    digest: str
    created: int
    by: str
    personal: bool = False
    used: int = 0  # ms: about when it was last used


class Accounts(Struct, frozen=True, omit_defaults=True):
    """All users, by name. `setup` is the link that makes the first administrator. `revision` is drawn at each write."""

    users: Mapping[str, User] = field(default_factory=dict)
    setup: OneTimeLink | None = None
    revision: str = ""


class AccessKeys(Struct, frozen=True, omit_defaults=True):
    """All access keys, by name. `revision` is drawn at each write."""

    keys: Mapping[str, AccessKey] = field(default_factory=dict)
    revision: str = ""


D = TypeVar("D", Accounts, AccessKeys)


class StoredDocument(Generic[D]):
    """A document that is kept as a note."""

    def __init__(self, store: Notes, name: str, of: type[D]) -> None:
        self._store = store
        self._name = name
        self._of: type[D] = of

    async def read(self) -> D:
        """Return the document as it is stored now. Raises `Unavailable`."""
        return self._decoded(await self._store.note(self._name))

    async def change(self, change: Callable[[D], D]) -> D:
        """Store what `change` makes of the document, again if it has moved meanwhile. Returns what is stored.

        `change` may raise `Refused`; then nothing is written. Raises `Unavailable`.
        """
        for _ in range(TRIES):
            stored = await self._store.note(self._name)
            changed = structs.replace(change(self._decoded(stored)), revision=secrets.token_hex(8))
            if await self._store.replace_note(self._name, msgspec.json.encode(changed), stored):
                return changed
        raise Contention("users and access keys are changed by others all the time: try it again")

    def _decoded(self, stored: bytes | None) -> D:
        return self._of() if stored is None else msgspec.json.decode(stored, type=self._of)


def accounts_of(store: Notes) -> StoredDocument[Accounts]:
    """Return the stored users."""
    return StoredDocument(store, "access/users", Accounts)


def access_keys_of(store: Notes) -> StoredDocument[AccessKeys]:
    """Return the stored access keys."""
    return StoredDocument(store, "access/keys", AccessKeys)


def require_name(name: str) -> str:
    """Return a name, in small letters. Raises `Refused`."""
    small = name.strip().lower()
    if not NAME.fullmatch(small):
        raise Refused(NAME_RULE)
    return small

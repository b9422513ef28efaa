"""Access keys: keys of programs for the API, each with a role. A key is shown once; the store has its digest."""

import hmac
from typing import Final

from msgspec import structs

from api.access.accounts import MAX_KEYS, AccessKey, AccessKeys, Refused, access_keys_of, require_name
from api.access.digest import digest
from api.access.role import Role
from api.access.users import new_secret
from engine.ports.store import Notes
from engine.ports.world import Clock

BEGINNING: Final = "hrk_"  # of every key, so that people and scanners of secrets recognise it
USED_MS: Final = 10 * 60_000  # how exactly the last use is known


class Keys:
    """The access keys of a store."""

    def __init__(self, store: Notes, clock: Clock) -> None:
        self._stored = access_keys_of(store)
        self._clock = clock

    async def all(self) -> list[AccessKey]:
        """Return all access keys, by name. Raises `Unavailable`."""
        return sorted((await self._stored.read()).keys.values(), key=lambda key: key.name)

    async def add(self, name: str, role: Role, by: str, *, personal: bool) -> str:
        """Make a key and return it. Raises `Refused`."""
        small, secret = require_name(name), BEGINNING + new_secret()
        if personal and role == "viewer":
            raise Refused("a viewer never sees personal data: take the role operator or admin, or leave out personal")

        def change(stored: AccessKeys) -> AccessKeys:
            if small in stored.keys:
                raise Refused(f"there is an access key `{small}` already")
            if len(stored.keys) >= MAX_KEYS:
                raise Refused(f"there are {MAX_KEYS} access keys, which is the most: remove one")
            key = AccessKey(small, role, digest(secret).hex(), self._clock.now(), by, personal)
            return structs.replace(stored, keys={**stored.keys, small: key})

        await self._stored.change(change)
        return secret

    async def remove(self, name: str) -> None:
        """Revoke a key, at once. Raises `Refused`."""

        def change(stored: AccessKeys) -> AccessKeys:
            if name.strip().lower() not in stored.keys:
                raise Refused("there is no such access key")
            left = {key: each for key, each in stored.keys.items() if key != name.strip().lower()}
            return structs.replace(stored, keys=left)

        await self._stored.change(change)

    async def find(self, given: str) -> AccessKey | None:
        """Return the access key that a program has sent, and note its use. Raises `Unavailable`."""
        if not given.startswith(BEGINNING):
            return None
        wanted, now = digest(given).hex(), self._clock.now()
        found = None
        for key in (await self._stored.read()).keys.values():
            if hmac.compare_digest(key.digest, wanted):
                found = key
        if found is not None and now - found.used >= USED_MS:
            await self._note_use(found.name, now)
        return found

    async def _note_use(self, name: str, now: int) -> None:
        def change(stored: AccessKeys) -> AccessKeys:
            key = stored.keys.get(name)
            return (
                stored
                if key is None
                else structs.replace(stored, keys={**stored.keys, name: structs.replace(key, used=now)})
            )

        await self._stored.change(change)

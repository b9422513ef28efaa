"""Loading for a login: the documents to which the links of a sender lead, as far as the sender brings any."""

from collections.abc import Callable

from msgspec import structs

from engine.ports.store import Reads
from engine.ports.tombstone import is_forgotten
from engine.profile.document import Profile, new_profile
from engine.profile.fold import fold
from engine.profile.joining import Brought
from engine.profile.linking import key_link
from engine.profile.profile_view import profile_view
from engine.project.project import Settings
from engine.tracking.pipeline.key_holder import Resolve, holder_of
from engine.tracking.unit.cache import CachedProfile, ProfileCache
from engine.tracking.unit.sender import Login, Sender, has_first_user


class LoginLoading:
    """Loads for one pipeline; the parameters are those of `Loading`."""

    def __init__(self, store: Reads, cache: ProfileCache, settings: Callable[[], Settings], resolve: Resolve) -> None:
        self._store = store
        self._cache = cache
        self._settings = settings
        self._resolve = resolve

    def brings_nothing(self, sender: Sender, profile: Profile) -> bool:
        """Return whether it is certain without the store that a sender with this profile brings no new link."""
        part = profile.parts.get(sender.id)
        if part is None or part.user != sender.user:
            return False
        if not sender.knows_user(profile) or not sender.knows_previous(profile):
            return False
        if sender.device is None:
            return True
        if sender.device in profile.parts:
            return has_first_user(profile, sender.device)
        device = self._cache.profile(sender.device)
        return device is not None and has_first_user(device.profile, sender.device)

    async def load(self, sender: Sender, profile: Profile, secret: bytes, now: int) -> Login | None:
        """Return the documents to which the links of a sender lead; None if it brings nothing new.

        Raises `Unavailable`.
        """
        device = None
        if sender.device is not None and sender.device not in profile.parts:
            device = await self._device(sender.device, secret, now)
        elif sender.device is not None and not has_first_user(profile, sender.device):
            device = profile
        user = None if sender.knows_user(profile) else await self._brought(sender, sender.user, secret, now)
        previous = None
        if not sender.knows_previous(profile):
            previous = structs.replace(await self._brought(sender, sender.previous, secret, now), alias=True)
        return Login(sender, device, user, previous) if device or user or previous else None

    async def _device(self, id: str, secret: bytes, now: int) -> Profile | None:
        """Return the profile of a device that may still be joined with its first user; of one forgotten, None."""
        found = await self._resolve(id, now)
        if found is None:
            return None if await is_forgotten(self._store, secret, id) else new_profile(id, now)
        if not has_first_user(found, id):
            return found
        self._cache.keep(CachedProfile.of(found, profile_view(found, fold(found, self._settings().fields))), id)
        return None

    async def _brought(self, sender: Sender, cause: str, secret: bytes, now: int) -> Brought:
        holder, profile = await holder_of(self._store, self._resolve, secret, key_link(cause, sender.kind), now)
        return Brought(cause, sender.kind, holder, profile)

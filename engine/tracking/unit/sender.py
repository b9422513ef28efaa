"""The sender of a unit that names a visitor or a user: the id under which it acts, and the links that it brings.

Every pair of visitor and user has an id of its own, which can be computed from both, so nothing is kept on the client.
The pair of a visitor without a user, its *device*, is joined by an own link to the first pair with a user, and never to
a second one. A pair's user is an exclusive key, brought as `profile.merge` brings keys.

A run may hand its session over to another user (`session.hand_over`): then the id under which it acted is the device.
"""

from msgspec import Struct

from engine.flow.effect import HandOver
from engine.language.path import show_path
from engine.ports.ids import cause_of, derived_id, pair_id
from engine.profile.document import LinkKind, Path, Profile
from engine.profile.joining import Brought
from engine.profile.key import KeyRules
from engine.profile.linking import MAX_IDS, key_link, link_id, proven_sender
from engine.project.source import Source
from engine.tracking.intake.admission import authority
from engine.tracking.intake.pair import proves_user
from engine.tracking.intake.payload import Intake


class HandedOver(Struct, frozen=True):
    """A session that a run has handed over: the request, from the id that acted and is the device now."""

    device: str
    to: HandOver


class Sender(Struct, frozen=True):
    """A visitor and a user. `user` names the user's key as proofs do; it is empty before the login.

    `device` is the id of the same visitor without a user, if that is another one. `path` and `text` are the user's key
    and its value.
    """

    id: str
    alone: str = ""  # the id of the user alone
    device: str | None = None
    user: str = ""
    path: Path = ()
    text: str = ""
    kind: LinkKind = "claim"
    previous: str = ""  # the name of the key of an earlier user id of the same person

    def knows_user(self, profile: Profile) -> bool:
        """Return whether nothing is left to do about the user's key: it is linked, or could not be."""
        if not self.user or link_id(self.id, self.kind, key_link(self.user, self.kind)) in profile.links:
            return True
        return self.kind == "claim" and proven_sender(profile, self.id)

    def knows_previous(self, profile: Profile) -> bool:
        """Return whether nothing is left to do about an earlier user id."""
        return not self.previous or link_id(self.id, self.kind, key_link(self.previous, self.kind)) in profile.links


class Login(Struct, frozen=True):
    """The documents that the links of a sender lead to: those of the user's keys, and of the device."""

    sender: Sender
    device: Profile | None = None
    user: Brought | None = None
    previous: Brought | None = None

    @property
    def leads_to_stored(self) -> bool:
        """Whether the sender is to be joined with a profile that is stored."""
        others = (self.device, self.user.profile if self.user is not None else None)
        return any(other is not None and other.version > 0 for other in others)

    @property
    def is_one_too_many(self) -> bool:
        """Whether the user has so many ids that a new pair acts under the id of the user alone.

        That id, too, needs a place in the profile.
        """
        user = self.user.profile if self.user is not None else None
        return self.sender.kind == "proof" and user is not None and len(user.parts) + 3 > MAX_IDS


def sender_of(
    intake: Intake, source: Source, handed_over: HandedOver | None, keys: KeyRules, secret: bytes
) -> Sender | None:
    """Return the sender of a unit that names a visitor or a user, or that was handed over; else None."""
    if handed_over is not None:
        to = handed_over.to
        path = show_path(to.path)
        id = derived_id(secret, source.source, "handed over", handed_over.device, path, to.text)
        alone = derived_id(secret, source.source, "handed over", "", path, to.text)
        user = cause_of(secret, path, to.text)
        return Sender(id, alone, handed_over.device, user, to.path, to.text, to.kind)
    if intake.visitor is None and intake.user is None:
        return None
    visitor, user = intake.visitor or "", intake.user or ""
    id = pair_id(secret, source.source, visitor, user)
    if not user or keys.user is None:
        return Sender(id)
    path = show_path(keys.user)
    trust = authority(source)
    return Sender(
        id,
        pair_id(secret, source.source, "", user),
        pair_id(secret, source.source, visitor, "") if visitor and trust != "refuse" else None,
        cause_of(secret, path, user),
        keys.user,
        user,
        "proof" if trust == "trust" or proves_user(intake, keys) else "claim",
        cause_of(secret, path, intake.previous) if intake.previous else "",
    )


def has_first_user(device: Profile, id: str) -> bool:
    """Return whether the device `id`, with this profile, has had its first user."""
    return any(link.kind == "own" and link.left == id for link in device.links.values())


def device_of(profile: Profile, acting_id: str) -> str:
    """Return the device of an acting id: that of its pair, or the id itself."""
    part = profile.parts.get(acting_id)
    return (part.device if part is not None else "") or acting_id

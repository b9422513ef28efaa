"""Documents about a profile."""

from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType, field

from engine.profile.document import LinkKind
from engine.tracking.operations.claiming import Claiming

ID: Final = "0193a7c2f1d84e0b"
AT: Final = 1_764_547_200_000


class ProfileMetadata(Struct, frozen=True):
    """When a profile was created, last changed and seen (ms), its version and its number of visits."""

    created: int
    updated: int
    version: int
    first_seen: int
    visits: int
    last_seen: int | UnsetType = UNSET
    previous_seen: int | UnsetType = UNSET


class WaitOfProfile(Struct, frozen=True):
    """A run of the profile that waits until a time (ms), or for events."""

    id: str
    flow: str
    of: str
    began: int
    until: int
    patterns: list[str] | UnsetType = field(name="for", default=UNSET)
    arrived: bool | UnsetType = UNSET


class PartOfProfile(Struct, frozen=True):
    """A part of a profile: what came under one of its ids."""

    id: str
    created: int
    updated: int
    mixed: bool | UnsetType = UNSET


class SideOfLink(Struct, frozen=True):
    """The ids that one side of a link had when it was made."""

    ids: list[str]
    more: int | UnsetType = UNSET


class HeldByLink(Struct, frozen=True):
    """Both sides of a link when it was made."""

    left: SideOfLink
    right: SideOfLink


class Clash(Struct, frozen=True):
    """A value that both sides of a link had, and that is shown now."""

    path: str
    shown: Literal["left", "right", "other"]
    left: str | UnsetType = UNSET
    right: str | UnsetType | None = UNSET


class Link(Struct, frozen=True):
    """A link that joins an id with a key, or with another id, and why."""

    link: str
    left: str
    right: str
    by: LinkKind
    state: Literal["holds", "undone", "ceased"]
    key: str | UnsetType = UNSET
    alias: bool | UnsetType = UNSET
    undone: int | UnsetType = UNSET
    ceased: int | UnsetType = UNSET
    ceased_by: str | UnsetType = UNSET
    at: int | UnsetType = UNSET
    event: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    flow: str | UnsetType = UNSET
    node: str | UnsetType = UNSET
    acting: str | UnsetType = UNSET
    won: str | UnsetType = UNSET
    held: HeldByLink | UnsetType = UNSET
    clashes: list[Clash] | UnsetType = UNSET
    more_clashes: int | UnsetType = UNSET


class Identity(Struct, frozen=True):
    """The parts of a profile, and the links that join them. `digest` is equal for two that show the same."""

    digest: str
    parts: list[PartOfProfile]
    links: list[Link]


class Profile(Struct, frozen=True):
    """A profile. Its members are what the project's flows have written."""

    id: str
    ids: list[str]
    traits: dict[str, Any]
    pii: dict[str, Any]
    consents: dict[str, Any]
    segments: list[str]
    counters: dict[str, Any]
    metadata: ProfileMetadata
    recent: dict[str, Any] | UnsetType = UNSET
    by_claims: list[str] | UnsetType = UNSET
    waits: list[WaitOfProfile] | UnsetType = UNSET
    why: Identity | UnsetType = UNSET
    claims: list[Claiming] | UnsetType = UNSET


class Unmerged(Struct, frozen=True):
    """The undone link, the profiles after it, and the other links that still join its two ids."""

    link: Link
    profiles: list[Profile]
    still_joined_by: list[Link]


class Membership(Struct, frozen=True):
    """Whether a profile belongs to a segment, since when, and why. Times are ms."""

    profile: str
    segment: str
    description: str
    manual: bool
    member: bool
    since: int | None
    condition: str | UnsetType = UNSET
    lasting: str | UnsetType = field(name="for", default=UNSET)
    within: str | UnsetType = UNSET
    holds: Any = UNSET
    values: dict[str, Any] | UnsetType = UNSET
    holds_since: int | UnsetType | None = UNSET
    held_until: int | UnsetType | None = UNSET
    late: bool | UnsetType = UNSET
    due: int | UnsetType | None = UNSET


PROFILE: Final[dict[str, Any]] = {
    "id": ID,
    "ids": [ID],
    "traits": {"name": "Ada", "orders": 3},
    "pii": {"email": "ada@example.com"},
    "consents": {"marketing": True},
    "segments": ["customers"],
    "counters": {},
    "metadata": {"created": AT, "updated": AT, "version": 3, "first_seen": AT, "visits": 2, "last_seen": AT},
}
LINK: Final[dict[str, Any]] = {
    "link": "5d1f2c",
    "left": ID,
    "right": "0193a7c2f1d84e0c",
    "by": "proof",
    "state": "undone",
    "undone": AT,
}
UNMERGED: Final[dict[str, Any]] = {"link": LINK, "profiles": [PROFILE], "still_joined_by": []}
MEMBERSHIP: Final[dict[str, Any]] = {
    "profile": ID,
    "segment": "customers",
    "description": "People who have bought",
    "manual": False,
    "member": True,
    "since": AT,
    "condition": "profile.traits.orders > 0",
    "holds": True,
    "values": {"profile.traits.orders": 3},
    "late": False,
    "due": None,
}

"""Kinds of records that no store names: one of each sort, for the contract of all kinds."""

from msgspec import Raw, Struct, field, structs

from engine.ports.kind import AnyKind, Kind, Owners
from engine.ports.kinds import KINDS
from tests.storage.contract import JANUARY, MARCH


class Remark(Struct, frozen=True, omit_defaults=True):
    """An appended record with every sort of owner; one of its fields has another name in the stored document."""

    id: str
    source: str
    at: int
    topic: str | None = None
    event: str | None = None
    session: str | None = None
    profile: str | None = None
    readers: tuple[str, ...] = field(default=(), name="seen_by")
    text: str = ""
    body: Raw = field(default_factory=lambda: Raw(b"null"))


class Quota(Struct, frozen=True, omit_defaults=True):
    """A keyed record."""

    name: str
    until: int
    left: int = 0
    profile: str | None = None


class Letter(Struct, frozen=True, omit_defaults=True):
    """A versioned record that may be due."""

    id: str
    source: str
    at: int
    version: int = 1
    session: str | None = None
    profile: str | None = None
    state: str = "waiting"
    due: int | None = None
    tray: str = "first"


REMARKS = Kind(
    name="remarks",
    record=Remark,
    lifecycle="appended",
    time="at",
    owners=Owners(profile="profile", session="session", others="readers", shown=("body",)),
    event="event",
    indexed=("topic",),
    retained=True,
    search={
        "id": "word",
        "source": "word",
        "topic": "word",
        "event": "word",
        "session": "word",
        "profile": "word",
        "at": "moment",
        "text": "prose",
    },
)
QUOTAS = Kind(
    name="quotas",
    record=Quota,
    lifecycle="keyed",
    id="name",
    time="until",
    owners=Owners(profile="profile"),
    search={"name": "word", "profile": "word", "until": "moment", "left": "number"},
)
LETTERS = Kind(
    name="letters",
    record=Letter,
    lifecycle="versioned",
    time="at",
    owners=Owners(profile="profile", session="session", named=True),
    due="due",
    queue="tray",
    retained=True,
    search={
        "id": "word",
        "source": "word",
        "session": "word",
        "profile": "word",
        "state": "word",
        "at": "moment",
        "due": "moment",
    },
)
TEST_KINDS: tuple[AnyKind, ...] = (REMARKS, QUOTAS, LETTERS)
ALL_KINDS: tuple[AnyKind, ...] = (*KINDS, *TEST_KINDS)


def remark(id: str = "r", **fields: object) -> Remark:
    return structs.replace(Remark(id, "web", JANUARY, "tea"), **fields)


def quota(name: str = "q", **fields: object) -> Quota:
    return structs.replace(Quota(name, MARCH, 5), **fields)


def letter(id: str = "l", version: int = 1, **fields: object) -> Letter:
    return structs.replace(Letter(id, "web", JANUARY, version), **fields)

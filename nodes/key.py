"""Which profile is meant: by id, or by a key such as `pii.email` = `ann@example.com`.

Values that clients send when they have none (`null`, `undefined`, `anonymous`, ...) never stand for anybody.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated

from msgspec import Meta, Struct

from engine.flow.ask import ProfileById, ProfileByKey
from engine.flow.effect import ClaimKey
from engine.language.path import parse_path, show_path
from engine.profile.document import Path, Scalar
from engine.profile.operations import Set
from engine.tracking.identity import is_placeholder

OneKey = Annotated[dict[str, Scalar], Meta(min_length=1, max_length=1)]

LONGEST = 200  # characters of an id or of a key's value


class Key(Struct, frozen=True):
    """A key with its value brought into one form, so that two spellings of an address are one key."""

    names: Path
    text: str
    value: Scalar  # as the profile is to show it

    @property
    def path(self) -> str:
        """The path as text, the same for all ways of writing it."""
        return show_path(self.names)

    @property
    def cause(self) -> str:
        """What a step that this key causes is called; it does not tell the value."""
        return f"{self.path}:{sha256(self.text.encode()).hexdigest()[:16]}"

    def is_value(self, value: object) -> bool:
        """Whether `value`, found at the path, is this key in whatever spelling."""
        return isinstance(value, str | int | float) and _text(self.names, value) == self.text

    def asked(self) -> ProfileByKey:
        """The ask for the profile that the key belongs to."""
        return ProfileByKey(self.path, self.text)

    def claimed(self, again: bool = False) -> ClaimKey:
        """The effect that makes the key lead to the run's profile."""
        return ClaimKey(self.path, self.text, again)

    def written(self) -> Set:
        """The operation that lets the profile show the value."""
        return Set(self.names, self.value)


def read_key(given: Mapping[str, Scalar]) -> Key:
    """The key that a map with one entry names."""
    (path, value), *_ = given.items()
    where = parse_path(path)
    text = _text(where, value)
    return Key(where, text, text if isinstance(value, str) else value)


def wanted(id: str | None, key: Mapping[str, Scalar] | None) -> ProfileById | ProfileByKey | str:
    """The ask for the profile with that id or key; or, as a text, why nobody can be meant."""
    if (id is None) == (key is None):
        return "give either an `id` or a `key`"
    if key is not None:
        found = read_key(key)
        return placeholder(found.text, found.path) or found.asked()
    text = str(id).strip()
    return placeholder(text, "id") or ProfileById(text)


def placeholder(text: str, what: str) -> str:
    """Why `text` stands for nobody, in words; empty when it may stand for somebody."""
    if len(text) > LONGEST:
        return f"`{what}` is longer than {LONGEST} characters"
    if is_placeholder(text):
        return f"`{text}` at `{what}` is a placeholder and stands for nobody"
    return ""


def _text(path: Path, value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 42 and 42.0 are one number in JSON
    text = str(value).strip()
    return text.lower() if "@" in text and path[-1].casefold().endswith("email") else text

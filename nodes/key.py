"""Which profile is meant: by id, or by a key such as `pii.email` = `ann@example.com`.

Values that clients send when they have none (`null`, `undefined`, `anonymous`, ...) never stand for anybody.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from engine.flow.ask import ProfileById, ProfileByKey
from engine.flow.effect import ClaimKey
from engine.language.path import parse_path, show_path
from engine.ports.ids import is_placeholder
from engine.profile.document import Path, Scalar
from engine.profile.key import DEFAULT_KEY_RULES, MAX_KEY_LENGTH, KeyRules, folded, key_text, plain_text
from engine.profile.operations import Refused, Set

OneKey = Annotated[dict[str, Scalar], Meta(min_length=1, max_length=1)]


class Key(Struct, frozen=True):
    """A key with its value brought into one form, so that two spellings of an address are one key."""

    names: Path
    text: str
    value: Scalar  # as the profile is to show it
    rules: KeyRules = DEFAULT_KEY_RULES

    @property
    def path(self) -> str:
        """The path as text, the same for all ways of writing it."""
        return show_path(self.names)

    def is_value(self, value: object) -> bool:
        """Whether `value`, found at the path, is this key in whatever spelling."""
        if not isinstance(value, str | int | float):
            return False
        try:
            return key_text(self.names, value, self.rules) == self.text
        except Refused:
            return False

    def proven_by(self, given: Mapping[str, Scalar]) -> bool:
        """Whether the key is among those that are `given`, by path, in whatever spelling."""
        return any(parse_path(path) == self.names and self.is_value(value) for path, value in given.items())

    def asked(self) -> ProfileByKey:
        """The ask for the profile that the key belongs to."""
        return ProfileByKey(self.path, self.text)

    def claimed(self, again: bool = False, proven: bool = False) -> ClaimKey:
        """The effect that makes the key lead to the run's profile."""
        return ClaimKey(self.path, self.text, again, proven)

    def written(self) -> Set:
        """The operation that lets the profile show the value."""
        return Set(self.names, self.value)


def read_key(path: str, value: Scalar, rules: KeyRules) -> Key:
    """A key as it was given. Raises `Refused`, with the reason, when its value stands for nobody."""
    where = parse_path(path)
    given = plain_text(value)
    if reason := placeholder(given, show_path(where), rules):
        raise Refused(reason)
    text = key_text(where, value, rules)
    if reason := placeholder(text, show_path(where), rules):
        raise Refused(reason)
    shown = text if isinstance(value, str) or text != given else value
    return Key(where, text, shown, rules)


def read_one(given: Mapping[str, Scalar], rules: KeyRules) -> Key:
    """The key that a map with one entry names. Raises `Refused`."""
    ((path, value),) = given.items()
    return read_key(path, value, rules)


def wanted(id: str | None, key: Mapping[str, Scalar] | None, rules: KeyRules) -> ProfileById | ProfileByKey:
    """The ask for the profile with that id or key. Raises `Refused`, with the reason, when nobody can be meant."""
    if (id is None) == (key is None):
        raise Refused("give either an `id` or a `key`")
    return read_one(key, rules).asked() if key is not None else ProfileById(read_id(str(id)))


def read_id(given: str) -> str:
    """An id as it was given. Raises `Refused`, with the reason, for a placeholder."""
    text = given.strip()
    if reason := placeholder(text, "id"):
        raise Refused(reason)
    return text


def placeholder(text: str, what: str, rules: KeyRules = DEFAULT_KEY_RULES) -> str:
    """Why `text` stands for nobody, in words; empty when it may stand for somebody."""
    if len(text) > MAX_KEY_LENGTH:
        return f"`{what}` is longer than {MAX_KEY_LENGTH} characters"
    if is_placeholder(text):
        return f"`{text}` at `{what}` is a placeholder and stands for nobody"
    if rules.never and folded(text) in rules.never:
        return f"`{text}` at `{what}` stands for nobody: `merging.never` in headrace.yaml names it"
    return ""

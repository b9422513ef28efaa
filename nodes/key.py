"""Merge keys in node configs, such as `pii.email` = `ann@example.com`, and ids of profiles and sessions.

Clients without a value send placeholders (`null`, `undefined`, `anonymous`, ...), which never identify a profile.
"""

from collections.abc import Mapping

from msgspec import Struct

from engine.flow.ask import KeyKind, ProfileByKey
from engine.language.path import parse_path, show_path
from engine.profile.document import Path, Scalar
from engine.profile.key import DEFAULT_KEY_RULES, MAX_KEY_LENGTH, KeyRules, key_text, plain_text
from engine.profile.operations import Refused, Set
from engine.profile.placeholder import length_reason, placeholder_reason


class Key(Struct, frozen=True):
    """A merge key. Its value is normalized to `text`, so that two spellings of an e-mail address are one key."""

    names: Path
    text: str
    value: Scalar  # as it is written to the profile
    rules: KeyRules = DEFAULT_KEY_RULES

    @property
    def path(self) -> str:
        """The path as text; all spellings of a path have the same text."""
        return show_path(self.names)

    def matches(self, value: object) -> bool:
        """Whether `value` at the key's path is this key, in any spelling."""
        if not isinstance(value, str | int | float):
            return False
        try:
            return key_text(self.names, value, self.rules) == self.text
        except Refused:
            return False

    def is_among(self, values: Mapping[str, Scalar]) -> bool:
        """Whether `values`, by path, contain the key, in any spelling."""
        return any(parse_path(path) == self.names and self.matches(value) for path, value in values.items())

    def ask(self, kind: KeyKind = "any") -> ProfileByKey:
        """The ask for the profile that holds the key."""
        return ProfileByKey(self.path, self.text, kind)

    def set_value(self) -> Set:
        """The operation that writes the value to the profile."""
        return Set(self.names, self.value)


def read_key(path: str, value: Scalar, rules: KeyRules) -> Key:
    """The key with that path and value. Raises `Refused`, with the reason, when the value identifies no profile."""
    names = parse_path(path)
    plain = plain_text(value)
    _refuse_placeholder(plain, show_path(names), rules)
    text = key_text(names, value, rules)
    _refuse_placeholder(text, show_path(names), rules)
    return Key(names, text, text if isinstance(value, str) or text != plain else value, rules)


def read_single_key(entry: Mapping[str, Scalar], rules: KeyRules) -> Key:
    """The key of a map with one entry. Raises `Refused`, with the reason, when the value identifies no profile."""
    ((path, value),) = entry.items()
    return read_key(path, value, rules)


def read_id(id: str, rules: KeyRules) -> str:
    """The id without surrounding spaces. Raises `Refused`, with the reason, when it identifies no person."""
    text = id.strip()
    _refuse_placeholder(text, "id", rules)
    return text


def _refuse_placeholder(text: str, path: str, rules: KeyRules) -> None:
    """Raise `Refused` for a value at `path` that identifies no person."""
    if reason := length_reason(text) or placeholder_reason(text, rules.never):
        raise Refused(f"`{text[:MAX_KEY_LENGTH]}` at `{path}` {reason}")

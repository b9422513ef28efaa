"""Scripts: an author's JavaScript, read with the project, and the values that its file configures."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, field

from engine.project.secret import secrets_in

HIDDEN: Final = "***"


class Script(Struct, frozen=True, kw_only=True):
    """An author's script, read when the project is loaded. `params` are the configured values, by name.

    Texts in `params` that hold secrets are of the type `Secret`.
    """

    file: str  # in the project's directory, for messages
    text: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def plain_params(self) -> dict[str, Any]:
        """Return the configured values as plain data, secrets included: for the script alone."""
        return {name: _plain(value) for name, value in self.params.items()}

    def without_secrets(self, text: str) -> str:
        """Return a text of the script, such as a line that it logs, with its secrets hidden."""
        for secret in sorted(set(_secrets(self.params)), key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from filter(None, secrets_in(value))
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _secrets(inner)

"""Secrets in the settings of a project: texts that must not appear in logs, traces or answers."""

from typing import Self


class Secret(str):
    """A text that holds secrets. Its `repr` hides it, so it does not appear in printed Structs, logs and tracebacks.

    `str(...)`, joining and encoding return the text itself, as HTTP clients need it. `values` are the secrets in it.
    """

    __slots__ = ("values",)
    values: tuple[str, ...]

    def __new__(cls, text: str, values: tuple[str, ...] = ()) -> Self:
        """Return a text with secrets; without `values` all of it is one."""
        secret = super().__new__(cls, text)
        secret.values = values or (text,)
        return secret

    def __repr__(self) -> str:
        return "'***'"


def secrets_in(text: str) -> tuple[str, ...]:
    """Return the secrets that a text of the project holds."""
    return text.values if isinstance(text, Secret) else ()

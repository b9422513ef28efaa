"""Quoted data in a sentence: a reason or a log text marks the values that it quotes, and stays one text.

A quoted value stands between U+2068 and U+2069, which isolate its direction and are not visible. The text without its
values is its *shape*: equal for all runs that fail alike, and free of personal data.
"""

import re
from typing import Any, Final

BEGIN: Final = "\u2068"
END: Final = "\u2069"
HOLE: Final = "{}"
MAX_QUOTED: Final = 200  # characters of a value

_MARKS: Final = re.compile(f"[{BEGIN}{END}]")
_QUOTED: Final = re.compile(f"{BEGIN}([^{BEGIN}{END}]*){END}")


def quoted(value: Any) -> str:
    """Return a value as text, marked as data. Marks that are in it are taken out, and it is cut to `MAX_QUOTED`."""
    text = _MARKS.sub("", str(value))
    return f"{BEGIN}{text[:MAX_QUOTED]}{'…' if len(text) > MAX_QUOTED else ''}{END}"


def shape_of(text: str) -> str:
    """Return the text with `{}` in place of each quoted value."""
    return _MARKS.sub("", _QUOTED.sub(HOLE, text))


def values_of(text: str) -> tuple[str, ...]:
    """Return the quoted values of a text, in their order."""
    return tuple(_QUOTED.findall(text))


def plain(text: str) -> str:
    """Return the text without marks."""
    return _MARKS.sub("", text)

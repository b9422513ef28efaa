"""Texts of which personal values are taken out: finding the values in documents, and masking them in sentences."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote

from engine.language.quoting import BEGIN, END
from engine.project.personal import DOTS

Path = tuple[str, ...]
IsPersonal = Callable[[Path], bool]

LEAST: Final = 3  # characters of a value that is looked for in texts
DEEP: Final = 60  # levels of a document; what is deeper is masked as a whole


def path_of(written: Any) -> Path:
    return tuple(written.split(".")) if isinstance(written, str) else ()


def leaves(value: Any) -> Iterator[str]:
    """Yield the texts and the numbers in a value, as texts."""
    match value:
        case dict():
            for inner in value.values():
                yield from leaves(inner)
        case list() | tuple():
            for inner in value:
                yield from leaves(inner)
        case bool() | None:
            return
        case _:
            yield str(value)


def values_at(value: Any, path: Path, is_personal: IsPersonal) -> Iterator[str]:
    """Yield the texts of the personal members of a value at a path, also their words."""
    if is_personal(path):
        yield from pieces(value)
    elif isinstance(value, dict) and len(path) <= DEEP:
        for name, inner in value.items():
            yield from values_at(inner, (*path, *str(name).split(".")), is_personal)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from values_at(inner, (*path, ""), is_personal)


def long_ones(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts that are long enough to be looked for, the longest first."""
    return tuple(sorted({text for text in texts if len(text) >= LEAST}, key=len, reverse=True))


def pieces(value: Any) -> Iterator[str]:
    """Yield the texts in a personal value, and the words of each: a greeting may have the first name alone."""
    for text in leaves(value):
        yield text
        words = text.partition("@")[0].split() if "@" in text else text.split()
        if len(words) < 8:
            yield from words


def without(text: str, known: Collection[str]) -> str:
    """Return a text without values, in any case, and also as they are written in an address."""
    for value in known:
        for spelling in {value, quote(value), quote(value, safe="")}:
            text = _replaced(text, spelling)
    return text


def _replaced(text: str, value: str) -> str:
    folded, wanted, at, pieces = text.lower(), value.lower(), 0, []
    if len(folded) != len(text) or not wanted:
        return DOTS if wanted and wanted in folded else text  # a letter that is two when it is small: rare
    while (found := folded.find(wanted, at)) >= 0:
        pieces += [text[at:found], DOTS]
        at = found + len(wanted)
    return "".join(pieces) + text[at:] if pieces else text


def unquoted(text: str) -> str:
    """Return a text with what is marked as data (between U+2068 and U+2069) masked."""
    if BEGIN not in text:
        return text
    pieces = text.split(BEGIN)
    return pieces[0] + "".join(f"{DOTS}{piece.partition(END)[2]}" for piece in pieces[1:])


def filled(shape: str, values: list[Any]) -> str:
    """Return a text of a shape, its holes filled with values in order."""
    pieces = shape.split("{}")
    fitting = [*map(str, values), *[DOTS] * len(pieces)]
    return pieces[0] + "".join(f"{value}{piece}" for value, piece in zip(fitting, pieces[1:], strict=False))

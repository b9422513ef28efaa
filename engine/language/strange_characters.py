"""Characters that look like others or cannot be seen: typographic quotes and dashes, special spaces."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from engine.language.refusal import INVISIBLE, finding
from engine.language.tree import Constant
from engine.problem import Problem

_QUOTES: Final = "‘’‚‛“”„‟«»‹›′″´＇＂「」"
_QUOTED: Final = re.compile(f"[{_QUOTES}]([^{_QUOTES}\n]*)[{_QUOTES}]")
_DASHES: Final = "‐‑‒–—―−﹣－"
_SIGNS: Final = {
    "×": "*", "⋅": "*", "÷": "/", "∕": "/", "≥": ">=", "≤": "<=", "≠": "!=", "≈": "==", "¬": "not", "∧": "and",
    "∨": "or", "∈": "in", "∉": "not in", "…": "",
}  # fmt: skip
_UNSEEN: Final = "\u00ad\u200b\u2060\ufeff"  # not the joiners U+200C and U+200D, which some scripts and emoji need


def name_of(character: str) -> str:
    """Return a character with its code point and its name, for messages."""
    name = unicodedata.name(character, "").lower() or unicodedata.category(character)
    shown = f"`{character}` " if character.isprintable() else ""
    return f"{shown}U+{ord(character):04X} ({name})"


def remedy_for(character: str) -> str:
    """Return the remedy for a character that is not part of the language; empty when there is none."""
    if character in _QUOTES:
        return "write text in straight quotes: `'text'`"
    if character in _DASHES:
        return "write an ordinary minus sign: `-`"
    if character in _SIGNS:
        return f"write `{_SIGNS[character]}`" if _SIGNS[character] else "leave it out"
    if character.isspace():
        return "write an ordinary space"
    if unicodedata.category(character) in {"Cf", "Cc", "Mn"}:
        return "delete it: it cannot be seen"
    plain = unicodedata.normalize("NFKC", character)
    if plain != character and plain.isascii():
        return f"write `{plain}`"
    if unicodedata.category(character) == "Sc":
        return "a number has no currency: write the number alone"
    return "write text in quotes: `'text'`"


def quoted_remedy(text: str, at: int) -> str:
    """Return the remedy for a text in typographic quotes that begins at `at`; empty when none does."""
    quoted = _QUOTED.match(text, at)
    return f"write straight quotes: `'{quoted[1]}'`" if quoted and "'" not in quoted[1] else ""


def foreign_letter(word: str) -> str:
    """Return the first character of a word that is not ASCII; empty when all are."""
    return next((character for character in word if not character.isascii()), "")


def invisible(literal: Constant, text: str) -> Iterator[Problem]:
    """Yield a warning about the first character that cannot be seen in a literal text, or in a list of them."""
    at = next((i for i in range(*literal.at) if text[i] in _UNSEEN), None)
    if at is not None and isinstance(literal.value, str | list):
        message = f"this text contains {name_of(text[at])}, which cannot be seen"
        yield finding(INVISIBLE, message, (at, at + 1), "delete it", "warning")

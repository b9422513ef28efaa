"""Filters that make values unreadable: hashes and masks."""

import hashlib
import re
from typing import Any, Final

from engine.language.absent import Unfit
from engine.language.operators import as_text
from engine.language.signature import need_text

ALGORITHMS: Final = ("sha256", "sha384", "sha512", "sha1", "md5")
_HIDDEN: Final = "***"
_DIGIT: Final = re.compile(r"\d", re.ASCII)
_CARD: Final = re.compile(r"\d(?:[ -]?\d){12,18}", re.ASCII)
_PHONE: Final = re.compile(r"(?:\+|\()?\d(?:[ ./()-]{0,3}\d){6,14}", re.ASCII)


def digest(value: Any, algorithm: Any = "sha256") -> str:
    """The hash of the value's text in hexadecimal digits: SHA-256, or that of sha384, sha512, sha1 or md5."""
    name = need_text(algorithm, "hash")
    if name not in ALGORITHMS:
        raise Unfit(f"`hash` has the algorithms {', '.join(ALGORITHMS)}, not {name[:40]!r}")
    return hashlib.new(name, as_text(value).encode(), usedforsecurity=False).hexdigest()


def mask(value: Any) -> str:
    """The text with most of it hidden: `a***@example.com`, `+** *** ****67`, `**** **** **** 1234`, else `A***`."""
    text = need_text(value, "mask").strip()
    name, at, domain = text.rpartition("@")
    if at and name and "." in domain and " " not in text:
        return f"{name[0]}{_HIDDEN}@{domain}"
    if _CARD.fullmatch(text):
        return _starred(text, 4)
    if _PHONE.fullmatch(text):
        return _starred(text, 2)
    return text[:1] + _HIDDEN if len(text) > 2 else _HIDDEN


def _starred(text: str, shown: int) -> str:
    """Return a text with a star for each digit but the last ones."""
    hidden = len(_DIGIT.findall(text)) - shown
    return _DIGIT.sub("*", text, count=hidden)

"""Filters that make values unreadable: hashes and masks."""

import hashlib
import hmac
import re
from typing import Any, Final

from engine.language.absent import ABSENT, Unfit
from engine.language.operators import as_text
from engine.language.signature import need_text

ALGORITHMS: Final = ("sha256", "sha384", "sha512", "sha1", "md5")
KEYED: Final = ("sha256", "sha384", "sha512")
KEY_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,99}")
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


def keyed_digest(keys: Any, value: Any, key: Any, algorithm: Any = "sha256") -> str:
    """The HMAC of the value's text by a hash key of the project, in hexadecimal digits: sha256, sha384 or sha512."""
    name = need_text(algorithm, "hmac")
    if name not in KEYED:
        raise Unfit(f"`hmac` has the algorithms {', '.join(KEYED)}, not {name[:40]!r}")
    secret = None if keys is ABSENT else keys.get(key)
    if secret is None:
        raise Unfit(f"there is no hash key `{key}`: name it under `hash_keys` in headrace.yaml")
    return hmac.digest(secret.encode(), as_text(value).encode(), name).hex()


def key_name(text: str) -> str:
    """Return the name of a hash key. Raises `ValueError`."""
    if not KEY_NAME.fullmatch(text):
        raise ValueError(f"`{text[:40]}` is not the name of a hash key: small letters, digits, - and _")
    return text


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

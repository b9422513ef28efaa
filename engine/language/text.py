"""Filters on text."""

import re
from typing import Any
from urllib.parse import quote

import msgspec
import re2

from engine.language.absent import Unfit
from engine.language.operators import LIST_CAP, TEXT_CAP, as_text, capped_text, kind_of
from engine.language.signature import need_text, need_whole

PATTERN_CAP = 512  # characters
_PATTERN_BYTES = 1 << 20  # of memory that a compiled pattern may use
_SEARCH_CAP = 16_384  # bytes of text that are searched
_SEARCH_STEPS = 12_000_000  # the instructions of a pattern times the bytes of the text: less than 0.1 s at worst
_WORD = re.compile(r"\S+")


def lower(value: Any) -> str:
    """The text in lower case."""
    return need_text(value, "lower").lower()


def upper(value: Any) -> str:
    """The text in upper case."""
    return need_text(value, "upper").upper()


def title(value: Any) -> str:
    """The text with each word's first letter in upper case and the others in lower case."""
    return _WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), need_text(value, "title"))


def trim(value: Any) -> str:
    """The text without white space at both ends."""
    return need_text(value, "trim").strip()


def truncate(value: Any, length: Any) -> str:
    """The first `length` characters of the text."""
    return need_text(value, "truncate")[: max(0, need_whole(length, "truncate"))]


def replace(value: Any, old: Any, new: Any) -> str:
    """The text with every `old` in it replaced by `new`."""
    text, old, new = (need_text(part, "replace") for part in (value, old, new))
    if not old:
        raise Unfit("`replace` needs a text to look for, not an empty one")
    if len(text) + text.count(old) * (len(new) - len(old)) > TEXT_CAP:
        return capped_text(None)
    return text.replace(old, new)


def split(value: Any, separator: Any = " ") -> list[str]:
    """The parts of the text between `separator`; without one, its words."""
    text, separator = need_text(value, "split"), need_text(separator, "split")
    if not separator:
        raise Unfit("`split` needs a separator, not an empty text")
    parts = text.split(None if separator == " " else separator, LIST_CAP)
    if len(parts) > LIST_CAP:
        raise Unfit(f"the list has more than {LIST_CAP:,} items")
    return parts


def starts_with(value: Any, start: Any) -> bool:
    """Whether the text begins with `start`."""
    return need_text(value, "starts_with").startswith(need_text(start, "starts_with"))


def ends_with(value: Any, end: Any) -> bool:
    """Whether the text ends with `end`."""
    return need_text(value, "ends_with").endswith(need_text(end, "ends_with"))


def matches(value: Any, pattern: Any) -> bool:
    """Whether the pattern (a regular expression in RE2 syntax) is found in the text; `^` and `$` tie it to the ends."""
    text = need_text(value, "matches")
    most = min(_SEARCH_CAP, _SEARCH_STEPS // pattern.programsize)
    if len(text) * 4 > most and len(text.encode()) > most:
        raise Unfit(f"`matches` searches at most {most:,} bytes of text with this pattern: use `truncate`")
    return pattern.search(text) is not None


def compile_pattern(text: str) -> Any:
    """Compile a pattern that runs in linear time. Raises `ValueError`."""
    if len(text) > PATTERN_CAP:
        raise ValueError(f"bad pattern: a pattern has at most {PATTERN_CAP} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_BYTES
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"bad pattern: {text}") from None


def string(value: Any) -> str:
    """The value as text, as it reads inside a template."""
    return as_text(value)


def json(value: Any) -> str:
    """The value as compact JSON."""
    try:
        return capped_text(msgspec.json.encode(value).decode())
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        raise Unfit(f"{kind_of(value)} that cannot be written as JSON") from None


def urlencode(value: Any) -> str:
    """The value's text with everything but letters, digits and `-._~` percent-encoded."""
    return capped_text(quote(as_text(value), safe=""))

"""Lone surrogates: a text that was cut inside a character such as an emoji, as `JSON.stringify` writes it.

A character beyond U+FFFF is two escapes, `\\ud83d\\ude00`. Half of such a pair is no text: UTF-8 has
no bytes for it.
"""

import re
from typing import Final

REPLACEMENT: Final = "\ufffd"

_LONE: Final = re.compile(
    rb"((?:[^\\]++"
    rb"|\\(?!u[dD][89a-fA-F][0-9a-fA-F]{2})."  # any other escape
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb")*+)\\u[dD][89a-fA-F][0-9a-fA-F]{2}",
    re.DOTALL,
)


def without_lone_surrogates(body: bytes) -> bytes:
    """Return JSON text with U+FFFD for each escape of a lone surrogate. Its length and all else stay the same."""
    parts: list[bytes] = []
    at = 0
    while found := _LONE.match(body, at):
        parts += (found[1], rb"\ufffd")
        at = found.end()
    return b"".join((*parts, body[at:])) if parts else body

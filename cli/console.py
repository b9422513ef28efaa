"""Output to a terminal: no stored text moves the cursor, changes colours or reverses the reading order."""

import re
from collections.abc import Iterable
from typing import Final

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

# Control characters of both sets but line breaks and tabs; marks of the reading order; separators of lines; surrogates.
UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff]"
)
_PICTURES: Final = 0x2400  # of the characters from 0 to 31
_REPLACEMENT: Final = "\ufffd"


class Console(rich.console.Console):
    """A console that prints a picture, or U+FFFD, in place of each unsafe character."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return what is printed, in pieces. Only the pieces with control codes are Rich's own, so they stay."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=without_controls(segment.text))


def print_lines(console: rich.console.Console, lines: Iterable[Text]) -> None:
    """Print each text as one line: a line break in a stored value starts no line of its own."""
    for line in lines:
        line.plain = line.plain.replace("\n", _picture("\n"))
        console.print(line, soft_wrap=True)


def without_controls(text: str) -> str:
    """Return the text with a picture, or U+FFFD, in place of each unsafe character."""
    return text if text.isprintable() else UNSAFE.sub(lambda found: _picture(found[0]), text)


def escape_json(document: str) -> str:
    """Return an encoded JSON document without unsafe characters: in its strings, `\\u…` means the same."""
    return document if document.isascii() and "\x7f" not in document else UNSAFE.sub(_escape, document)


def _picture(character: str) -> str:
    return chr(_PICTURES + ord(character)) if character < " " else _REPLACEMENT


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"

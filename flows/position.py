"""Positions in a file: lines and columns, counted from 1 as editors show them."""

import re
from bisect import bisect_right

from msgspec import Struct


class Position(Struct, frozen=True):
    """A range of a file. Lines and columns count from 1, columns in characters; `end_column` is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class LineIndex:
    """A text, and the lines and columns of its indexes. Only `\\n` ends a line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(newline.end() for newline in re.finditer("\n", text))]

    @property
    def count(self) -> int:
        """The number of lines."""
        return len(self._starts)

    def line_number(self, index: int) -> int:
        """The number of the line with the character at `index`, counted from 1."""
        return bisect_right(self._starts, index)

    def line_start(self, number: int) -> int:
        """The index of the first character of line `number`."""
        return self._starts[number - 1]

    def line_text(self, number: int) -> str:
        """The text of line `number`, without its line end."""
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[self._starts[number - 1] : end]

    def column(self, index: int) -> int:
        """The number of characters in front of `index` in its line."""
        return index - self._starts[self.line_number(index) - 1]

    def position(self, start: int, end: int) -> Position:
        """The position of the text from `start` to before `end`, both clipped to the text."""
        start = max(0, min(start, len(self.text)))
        end = max(start, min(end, len(self.text)))
        first, last = self.line_number(start), self.line_number(end)
        return Position(first, self.column(start) + 1, last, self.column(end) + 1)

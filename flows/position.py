"""Places in a file: lines and columns as people count them."""

import re
from bisect import bisect_right

from msgspec import Struct


class Position(Struct, frozen=True):
    """A stretch of a file. Lines and columns count from 1, columns in characters; `end_column` is the one after."""

    line: int
    column: int
    end_line: int
    end_column: int


class LineIndex:
    """A text whose indexes are to be shown as places. Only `\\n` ends a line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def number(self, index: int) -> int:
        """The line that `index` stands in, counted from 1."""
        return bisect_right(self._starts, index)

    def start(self, number: int) -> int:
        """The index at which line `number` begins."""
        return self._starts[number - 1]

    def line(self, number: int) -> str:
        """The text of line `number`, without its end."""
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[self._starts[number - 1] : end]

    def column(self, index: int) -> int:
        """How far `index` stands in its line, counted from 0."""
        return index - self._starts[self.number(index) - 1]

    def position(self, start: int, end: int) -> Position:
        """The stretch from `start` to before `end`, both held within the text."""
        start = max(0, min(start, len(self.text)))
        end = max(start, min(end, len(self.text)))
        first, last = self.number(start), self.number(end)
        return Position(first, self.column(start) + 1, last, self.column(end) + 1)

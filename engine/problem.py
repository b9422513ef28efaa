"""Problems: errors and warnings about a document of an author, as data.

A problem has its position in the *document*: a key path, perhaps an offset inside one scalar. The engine does not know
files: `flows` adds file, line, column and a code frame.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

KeyPath = tuple[str | int, ...]
Severity = Literal["error", "warning"]


class Problem(Struct, frozen=True, kw_only=True):
    """One error or warning about a document.

    `path` is that of the wrong key or list item; `on` says whether the key or its value is wrong.
    `offset` and `length` count characters inside the scalar's *value* (after YAML has decoded it).
    """

    code: str
    message: str
    path: KeyPath = ()
    on: Literal["key", "value"] = "value"
    offset: int | None = None
    length: int = 1
    help: str = ""
    severity: Severity = "error"

    def below(self, prefix: KeyPath) -> "Problem":
        """Return the same problem for a document that contains this one at `prefix`."""
        return Problem(
            code=self.code,
            message=self.message,
            path=(*prefix, *self.path),
            on=self.on,
            offset=self.offset,
            length=self.length,
            help=self.help,
            severity=self.severity,
        )


class ProblemError(Exception):
    """A text of an author is wrong. Carries the problem; the caller adds the position of the text in its document."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be, or None when none is close.

    Close is a Damerau-Levenshtein distance (optimal string alignment) of at most a third of the word's length, but of
    one in any case.
    """
    limit = max(1, len(word) // 3)
    similar = [
        other for other in known if abs(len(other) - len(word)) <= limit
    ]  # others are not close: no need to count
    ranked = sorted((_distance(word, other), other) for other in similar)
    return ranked[0][1] if ranked and ranked[0][0] <= limit else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a help sentence with the closest known word, or a list of all if there are few; may be empty."""
    words = sorted(known)
    near = closest(word, words)
    if near is not None:
        return f"did you mean `{near}`?"
    if words and len(words) <= 12:
        return "known here: " + ", ".join(f"`{w}`" for w in words)
    return ""


def _distance(a: str, b: str) -> int:
    """Return the optimal string alignment distance of two words."""
    previous: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, previous, row = previous, row, [i]
        for j, y in enumerate(b, 1):
            best = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, before[j - 2] + 1)
            row.append(best)
    return row[-1]

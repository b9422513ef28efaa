"""What can be wrong with something an author wrote, as data.

The engine knows what is wrong and where in the *document* (a key path, perhaps an offset inside one scalar).
It does not know files: `flows` turns a problem into file, line, column and a code frame.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

KeyPath = tuple[str | int, ...]
Severity = Literal["error", "warning"]


class Problem(Struct, frozen=True, kw_only=True):
    """One finding about a document.

    `path` leads to the key or list item that is wrong; `on` says whether the key or its value is meant.
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
        """The same problem seen from a document in which this one stands at `prefix`."""
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
    """A text that cannot be understood; carries the problem for whoever knows where the text stands."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, or None when none is near.

    Near means a Damerau-Levenshtein distance (optimal string alignment) of at most a third of the word's length,
    and at least one.
    """
    limit = max(1, len(word) // 3)
    ranked = sorted((_distance(word, other), other) for other in known)
    return ranked[0][1] if ranked and ranked[0][0] <= limit else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A help sentence that suggests the closest known word, or the whole list when it is short."""
    words = sorted(known)
    near = closest(word, words)
    if near is not None:
        return f"did you mean `{near}`?"
    if words and len(words) <= 12:
        return "known here: " + ", ".join(f"`{w}`" for w in words)
    return ""


def _distance(a: str, b: str) -> int:
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

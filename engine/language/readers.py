"""How the leaves of an expression read the scope: plainly, or noting what they read.

Everything above the leaves passes its one argument down without looking at it. For plain leaves that is the scope,
for noting ones the scope and the dictionary to note in.
"""

from collections.abc import Callable
from typing import Any, Protocol

from engine.language.absent import ABSENT, Absent
from engine.language.path import Scope, read

Evaluate = Callable[[Any], Any]
Noting = tuple[Scope, dict[str, Any]]
PathParts = tuple[str | int, ...]


class LeafReader(Protocol):
    """The two ways to read the world."""

    def read(self, path: PathParts, text: str) -> Evaluate:
        """What is at `path`, or ABSENT. `text` is what the author calls it."""

    def need(self, path: PathParts, text: str) -> Evaluate:
        """What is at `path`; raises `Absent`."""

    def derived(self, value: Callable[[Scope], Any], text: str) -> Evaluate:
        """What `value` makes of the scope."""

    def noted(self, evaluate: Evaluate, text: str) -> Evaluate:
        """`evaluate`, whose value is noted as that of `text` where values are noted."""


class PlainReader:
    """Reads, and notes nothing."""

    def read(self, path: PathParts, text: str) -> Evaluate:
        return reader(path)

    def need(self, path: PathParts, text: str) -> Evaluate:
        return needer(path, text)

    def derived(self, value: Callable[[Scope], Any], text: str) -> Evaluate:
        return value

    def noted(self, evaluate: Evaluate, text: str) -> Evaluate:
        return evaluate


class RecordingReader:
    """Reads, and notes each value by the text that the author wrote for it."""

    def read(self, path: PathParts, text: str) -> Evaluate:
        return self.derived(reader(path), text)

    def derived(self, value: Callable[[Scope], Any], text: str) -> Evaluate:
        def evaluate(seen: Noting) -> Any:
            found = value(seen[0])
            seen[1][text] = "absent" if found is ABSENT else found
            return found

        return evaluate

    def need(self, path: PathParts, text: str) -> Evaluate:
        return needed(self.read(path, text), text)

    def noted(self, evaluate: Evaluate, text: str) -> Evaluate:
        def noting(seen: Noting) -> Any:
            value = evaluate(seen)
            seen[1][text] = "absent" if value is ABSENT else value
            return value

        return noting


def needed(evaluate: Evaluate, text: str) -> Evaluate:
    """`evaluate`, raising `Absent` in place of ABSENT."""

    def present(seen: Any) -> Any:
        value = evaluate(seen)
        if value is ABSENT:
            raise Absent(text)
        return value

    return present


# Plain subscripts, specialised by length: the scope and all below it are exact dictionaries, lists and scalars, of
# which only a dictionary takes a text in brackets. A list index needs the walk, as text takes integers too.


def reader(path: PathParts) -> Evaluate:
    """Reads `path` of a scope; ABSENT where there is nothing."""
    if not all(isinstance(part, str) for part in path):
        return _walker(str(path[0]), path[1:])
    if len(path) > len(_READ):
        return _read_long(path)
    return _READ[len(path) - 1](*path)


def needer(path: PathParts, text: str) -> Evaluate:
    """Reads `path` of a scope; raises `Absent` where there is nothing."""
    if len(path) != 3 or not all(isinstance(part, str) for part in path):
        return needed(reader(path), text)
    first, second, third = path

    def evaluate(scope: Any) -> Any:
        try:
            return scope[first][second][third]
        except (KeyError, TypeError):
            raise Absent(text) from None

    return evaluate


def _read1(first: Any) -> Evaluate:
    return lambda scope: scope.get(first, ABSENT)


def _read2(first: Any, second: Any) -> Evaluate:
    def evaluate(scope: Any) -> Any:
        try:
            return scope[first][second]
        except (KeyError, TypeError):
            return ABSENT

    return evaluate


def _read3(first: Any, second: Any, third: Any) -> Evaluate:
    def evaluate(scope: Any) -> Any:
        try:
            return scope[first][second][third]
        except (KeyError, TypeError):
            return ABSENT

    return evaluate


def _read4(first: Any, second: Any, third: Any, fourth: Any) -> Evaluate:
    def evaluate(scope: Any) -> Any:
        try:
            return scope[first][second][third][fourth]
        except (KeyError, TypeError):
            return ABSENT

    return evaluate


def _read_long(path: PathParts) -> Evaluate:
    def evaluate(scope: Any) -> Any:
        value = scope
        try:
            for part in path:
                value = value[part]
        except (KeyError, TypeError):
            return ABSENT
        return value

    return evaluate


def _walker(root: str, below: PathParts) -> Evaluate:
    return lambda scope: read(scope[root], below) if root in scope else ABSENT


_READ: tuple[Callable[..., Evaluate], ...] = (_read1, _read2, _read3, _read4)

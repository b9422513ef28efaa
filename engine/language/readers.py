"""The leaves of an expression: closures that read the scope, either plainly or recording what they read.

Every closure takes one argument, the context, and passes it on to its leaves unchanged. For `PlainReader` the context
is the scope; for `RecordingReader` it is the scope and the dictionary in which the values are recorded.
"""

from collections.abc import Callable
from typing import Any, Protocol

from engine.language.absent import ABSENT, Absent
from engine.language.path import Scope, read

Evaluate = Callable[[Any], Any]
Recording = tuple[Scope, dict[str, Any]]
PathParts = tuple[str | int, ...]


class LeafReader(Protocol):
    """Makes the closures of leaves. `text` is the leaf as the author wrote it."""

    def read(self, path: PathParts, text: str) -> Evaluate:
        """Return a closure for the value at `path`, or ABSENT."""

    def need(self, path: PathParts, text: str) -> Evaluate:
        """Return a closure for the value at `path` that raises `Absent` if there is none."""

    def unrecorded(self, path: PathParts) -> Evaluate:
        """Return a closure for the value at `path`, or ABSENT, which the author has not written: never recorded."""

    def derived(self, value: Callable[[Scope], Any], text: str) -> Evaluate:
        """Return a closure for the value that `value` computes from the scope."""

    def recorded(self, evaluate: Evaluate, text: str) -> Evaluate:
        """Return `evaluate`, with its value recorded if this reader records values."""


class PlainReader:
    """Reads values, and records nothing."""

    def read(self, path: PathParts, text: str) -> Evaluate:
        return reader(path)

    def need(self, path: PathParts, text: str) -> Evaluate:
        return needer(path, text)

    def unrecorded(self, path: PathParts) -> Evaluate:
        return reader(path)

    def derived(self, value: Callable[[Scope], Any], text: str) -> Evaluate:
        return value

    def recorded(self, evaluate: Evaluate, text: str) -> Evaluate:
        return evaluate


class RecordingReader:
    """Reads values, and records each under the text that the author wrote for it."""

    def read(self, path: PathParts, text: str) -> Evaluate:
        return self.derived(reader(path), text)

    def unrecorded(self, path: PathParts) -> Evaluate:
        value = reader(path)
        return lambda context: value(context[0])

    def derived(self, value: Callable[[Scope], Any], text: str) -> Evaluate:
        def evaluate(context: Recording) -> Any:
            result = value(context[0])
            context[1][text] = "absent" if result is ABSENT else result
            return result

        return evaluate

    def need(self, path: PathParts, text: str) -> Evaluate:
        return needed(self.read(path, text), text)

    def recorded(self, evaluate: Evaluate, text: str) -> Evaluate:
        def record(context: Recording) -> Any:
            value = evaluate(context)
            context[1][text] = "absent" if value is ABSENT else value
            return value

        return record


def needed(evaluate: Evaluate, text: str) -> Evaluate:
    """Return `evaluate`, raising `Absent` in place of returning ABSENT."""

    def present(context: Any) -> Any:
        value = evaluate(context)
        if value is ABSENT:
            raise Absent(text)
        return value

    return present


# Plain subscripts, specialised by length: the scope and all data below it are exactly dictionaries, lists and scalars,
# of which only a dictionary accepts a text as subscript. A list index needs `_walker`, as texts accept integers, too.


def reader(path: PathParts) -> Evaluate:
    """Return a closure for the value at `path` of a scope, or ABSENT."""
    if not all(isinstance(part, str) for part in path):
        return _walker(str(path[0]), path[1:])
    if len(path) > len(_READ):
        return _read_long(path)
    return _READ[len(path) - 1](*path)


def needer(path: PathParts, text: str) -> Evaluate:
    """Return a closure for the value at `path` of a scope that raises `Absent` if there is none."""
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

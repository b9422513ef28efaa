"""What a reader of a document has to complain about, gathered on the way."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from engine.problem import KeyPath, Problem, did_you_mean


class ProblemList(list[Problem]):
    """The problems found so far."""

    def add(
        self, code: str, message: str, path: KeyPath, *, on: Literal["key", "value"] = "value", help: str = ""
    ) -> None:
        """Complain about what stands at `path`."""
        self.append(Problem(code=code, message=message, path=path, on=on, help=help))

    def unknown(self, given: Mapping[Any, Any], known: Iterable[str], at: KeyPath, what: str) -> None:
        """Complain about the keys of `given` that are not known."""
        for key in given:
            if key not in known:
                self.add("H101", f"{what} has no key `{key}`", (*at, key), on="key", help=did_you_mean(str(key), known))


def as_list(raw: Any, at: KeyPath) -> list[tuple[Any, KeyPath]]:
    """The items of a list that stands at `at`, or the one value that stands there; each with its place."""
    return [(item, (*at, i)) for i, item in enumerate(raw)] if isinstance(raw, list) else [(raw, at)]

"""The list in which a reader of a document collects the document's problems."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from engine.problem import KeyPath, Problem, did_you_mean

NO_WORKAROUNDS: Final[Mapping[str, str]] = MappingProxyType({})


class ProblemList(list[Problem]):
    """Problems in the order in which they were found."""

    def add(
        self, code: str, message: str, path: KeyPath, *, on: Literal["key", "value"] = "value", help: str = ""
    ) -> None:
        """Add an error about the key or value at `path`."""
        self.append(Problem(code=code, message=message, path=path, on=on, help=help))

    def add_unknown_keys(
        self,
        raw: Mapping[Any, Any],
        known: Iterable[str],
        at: KeyPath,
        noun: str,
        workarounds: Mapping[str, str] = NO_WORKAROUNDS,
    ) -> None:
        """Add an error for each key of `raw` that is not `known`. `noun` names the thing that `raw` describes.

        `workarounds` has the help for keys of features that do not exist yet.
        """
        for key in raw:
            if key not in known:
                help = workarounds.get(str(key)) or did_you_mean(str(key), known)
                self.add("H101", f"{noun} has no key `{key}`", (*at, key), on="key", help=help)


def as_list(raw: Any, at: KeyPath) -> list[tuple[Any, KeyPath]]:
    """The items of the list `raw` at `at`, each with its own key path; a single value counts as a list of one."""
    return [(item, (*at, i)) for i, item in enumerate(raw)] if isinstance(raw, list) else [(raw, at)]

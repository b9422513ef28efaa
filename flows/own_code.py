"""Importing the Python files of a project's `nodes/`.

The files are the modules of a package that has no place in the search path, so `from ._shared import x` works and no
name of a file collides with that of another package. Its name contains a hash of all texts: when a file has changed,
all are imported again, since they may import from each other; else they are the modules that were imported before. No
bytecode is written or read: whether it is still valid goes by the second in which the file was changed.
"""

import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib import import_module
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Final

PREFIX: Final = "headrace_own_nodes_"


class _Loader(SourceLoader):
    """Executes the text of one file, as it was read."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text

    def get_filename(self, fullname: str) -> str:
        """Return the path of the file."""
        return str(self._path)

    def get_data(self, path: str) -> bytes:
        """Return the text of the file."""
        return self._text.encode()


class _Finder(MetaPathFinder):
    """Finds the modules of the packages of all projects that this process has loaded."""

    def __init__(self) -> None:
        self.folders: dict[str, tuple[Path, Mapping[str, str]]] = {}  # by package: its folder, and texts by module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module of one of the packages; None for any other."""
        package, _, name = fullname.partition(".")
        folder, texts = self.folders.get(package, (Path(), {}))
        if name not in texts:
            return None
        return spec_from_loader(fullname, _Loader(folder / f"{name}.py", texts[name]))


_finder: Final = _Finder()


def import_own(folder: Path, texts: Mapping[str, str], name: str) -> ModuleType:
    """Import the module `name` of a folder with these texts by module name. Raises whatever its code raises."""
    return import_module(f"{_package(folder.resolve(), texts)}.{name}")


def _package(folder: Path, texts: Mapping[str, str]) -> str:
    """Return the name of the package of these files, which exists from now on."""
    content = "\0".join((str(folder), *(part for item in sorted(texts.items()) for part in item)))
    package = PREFIX + sha256(content.encode()).hexdigest()[:16]
    if package not in sys.modules:
        if _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        spec = ModuleSpec(package, None, is_package=True)
        _finder.folders[package] = (folder, dict(texts))
        sys.modules[package] = module_from_spec(spec)
    return package

"""A project's own node types: those of the Python files in its `nodes/`, and those of installed packages.

An installed package offers node types by entry points of the group `headrace.nodes`, each a module or a class. Loading
runs their code. What cannot be loaded is reported and left out; all other types can be used.
"""

import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import getmembers, isclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from msgspec import Struct

from engine.flow.node import Node, type_name
from engine.flow.own_type import defects
from engine.flow.registry import Registry
from flows.diagnostic import Diagnostic
from flows.files import file_name, read_text
from flows.own_code import import_own

FOLDER: Final = "nodes"
GROUP: Final = "headrace.nodes"  # of entry points

_IMPORT = re.compile(r"No module named '([\w.]+)'")
_TAG = re.compile(r"""\btag\s*=\s*["']([\w.-]+)["']""")


class OwnNodes(Struct, frozen=True, kw_only=True):
    """The registry with a project's own types, and what was found wrong. `sources` has the text of each file by name.

    `packages` are the installed ones that offer types, with their versions.
    """

    registry: Registry
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: dict[str, str] = {}
    packages: tuple[str, ...] = ()


def own_nodes(root: Path, builtin: Registry) -> OwnNodes:
    """Load the own node types of the project at `root`, in addition to those of `builtin`."""
    loading = _Loading(builtin)
    loading.packages()
    loading.files(root)
    registry = Registry(loading.types.values(), loading.places, loading.missing)
    return OwnNodes(
        registry=registry,
        diagnostics=tuple(loading.diagnostics),
        sources=loading.sources,
        packages=tuple(sorted(loading.versions)),
    )


class _Loading:
    """The types so far, by name; with the place of each own one, and what could not be loaded."""

    def __init__(self, builtin: Registry) -> None:
        self.types: dict[str, type[Node]] = {type_name(node): node for node in builtin}
        self.places: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.diagnostics: list[Diagnostic] = []
        self.sources: dict[str, str] = {}
        self.versions: set[str] = set()

    def packages(self) -> None:
        """Load the types of installed packages."""
        for entry in _entries(tuple(sys.path)):
            place = _place(entry)
            self.versions.add(place)
            try:
                loaded = entry.load()
            except (Exception, SystemExit) as error:  # noqa: BLE001  # the boundary to other people's code
                self._report(place, "H445", f"`{entry.value}` cannot be imported: {_words(error)}", 1)
                continue
            self._take(place, types_of(loaded) if isinstance(loaded, ModuleType) else [loaded], "")

    def files(self, root: Path) -> None:
        """Load the types of the project's files."""
        paths = sorted((root / FOLDER).glob("*.py"))
        texts: dict[str, str] = {}
        for path in paths:
            name = file_name(root, path)
            text = read_text(path, name)
            if isinstance(text, Diagnostic):
                self.diagnostics.append(text)
            elif path.stem == "__init__":
                help = "delete the file: the folder must not hide the package `nodes` of Headrace"
                self._report(name, "H446", "the folder is no package", 1, help)
            elif path.stem.isidentifier() and not _is_test(path):
                texts[path.stem] = text
                self.sources[name] = text
            elif not path.stem.isidentifier():
                help = f"rename it to {re.sub(r'[^A-Za-z0-9]', '_', path.stem)}.py"
                self._report(name, "H446", "the name of the file is no name of a module", 1, help)
        for stem in texts:
            if not stem.startswith("_"):
                self._file(root / FOLDER, texts, stem)

    def _file(self, folder: Path, texts: dict[str, str], stem: str) -> None:
        """Load the types of one file."""
        path, name, text = folder / f"{stem}.py", f"{FOLDER}/{stem}.py", texts[stem]
        try:
            module = import_own(folder, texts, stem)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # the boundary to other people's code
            line = _line(error, path)
            self._report(name, "H445", f"the file cannot be imported: {_words(error)}", line, _remedy(error))
            self.missing |= dict.fromkeys(_TAG.findall(text), name)
            return
        found = types_of(module)
        if not found:
            help = f'write a class such as `class Points(Node, frozen=True, tag="{stem.replace("_", ".", 1)}")`, or '
            help += f"rename the file to _{stem}.py if others import from it"
            self._report(name, "H446", "the file has no node type", 1, help)
        self._take(name, found, text)

    def _take(self, place: str, found: Iterable[Any], text: str) -> None:
        """Take the types that are valid and whose names are free. `text` is that of their file, if it is known."""
        for node in found:
            line = _class_line(text, getattr(node, "__name__", ""))
            wrong = next(defects(node), None)
            if wrong is not None:
                self._report(place, "H446", *wrong[:1], line, wrong[1])
                if isclass(node) and issubclass(node, Node) and node.__struct_config__.tag:
                    self.missing.setdefault(type_name(node), place)
            elif (name := type_name(node)) in self.types:
                other = self.places.get(name, "Headrace itself")
                help = 'give it another name: a family of your own, e.g. `tag="shop.points"`'
                self._report(place, "H447", f"the node type `{name}` exists already, in {other}", line, help)
            else:
                self.types[name] = node
                self.places[name] = place

    def _report(self, place: str, code: str, message: str, line: int, help: str = "") -> None:
        self.diagnostics.append(
            Diagnostic(code=code, message=message, file=place, line=line, end_line=line, end_column=1, help=help)
        )


@cache  # reading the metadata of all installed packages takes longer than loading a project
def _entries(search_path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Return the entry points of the packages that are installed in the search path of this process."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)))


def types_of(module: ModuleType) -> list[type[Node]]:
    """Return the node types that a module defines."""
    return [
        member
        for _, member in getmembers(module, isclass)
        if issubclass(member, Node) and member.__module__ == module.__name__ and member.__struct_config__.tag
    ]


def _is_test(path: Path) -> bool:
    return path.stem.startswith("test_") or path.stem.endswith("_test") or path.stem == "conftest"


def _place(entry: EntryPoint) -> str:
    dist = entry.dist
    return f"{dist.name} {dist.version}" if dist is not None else entry.value


def _words(error: BaseException) -> str:
    """Return what an import raised, in one line."""
    if isinstance(error, SyntaxError):
        return f"it is not valid Python: {error.msg}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _remedy(error: BaseException) -> str:
    missing = _IMPORT.search(str(error)) if isinstance(error, ModuleNotFoundError) else None
    if missing is None:
        return ""
    return f"install `{missing[1].partition('.')[0]}` into the environment of Headrace ({sys.prefix})"


def _line(error: BaseException, path: Path) -> int:
    """Return the last line of a file that led to an error; 1 if none is known."""
    if isinstance(error, SyntaxError) and error.filename == str(path.resolve()):
        return error.lineno or 1
    frames: Iterator[traceback.FrameSummary] = reversed(traceback.extract_tb(error.__traceback__))
    return next((frame.lineno or 1 for frame in frames if frame.filename == str(path.resolve())), 1)


def _class_line(text: str, name: str) -> int:
    found = re.search(rf"^class {re.escape(name)}\b", text, re.MULTILINE) if name else None
    return text.count("\n", 0, found.start()) + 1 if found is not None else 1

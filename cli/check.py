"""`headrace check`: reports the errors and warnings of a project before any event arrives."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from msgspec import structs

from flows.cases import load_cases
from flows.diagnostic import render
from flows.files import SETTINGS, file_name
from flows.project import LoadedProject, load_project, only_files
from nodes import builtin

OK, FINDINGS, USAGE_ERROR = 0, 1, 2  # exit codes


def check(paths: list[Path], colour: bool, out: TextIO) -> int:
    """Check projects, or some of their files, and write the report to `out`; by default the current directory.

    Returns the exit code: 1 when there are errors (warnings do not count), 2 for a path that belongs to no project. The
    other paths are checked all the same.
    """
    missing = [path for path in paths if not path.exists()]
    out.writelines(f"{_missing(path)}\n" for path in missing)
    existing = [path for path in paths or [Path()] if path not in missing]
    code = USAGE_ERROR if missing else OK
    roots: dict[Path, list[Path]] = {}
    for path in existing:
        roots.setdefault(project_root(path.resolve()), []).append(path)
    for root, requested in roots.items():
        code = max(code, _check_project(root, requested, colour, out))
    return code


def _check_project(root: Path, requested: list[Path], colour: bool, out: TextIO) -> int:
    """Write the report about one project, or about the requested paths in it. Returns the exit code."""
    loaded = _only_requested(_load(root), root, [path.resolve() for path in requested])
    if loaded.sources or (loaded.diagnostics and is_project(root)):
        out.write(render(loaded.diagnostics, loaded.sources, colour=colour))
        return FINDINGS if loaded.failed else OK
    if loaded.diagnostics:
        out.write(render(loaded.diagnostics, loaded.sources, colour=colour) + "\n")
    out.write(f"{_without_files(root, requested[0])}\n")
    return USAGE_ERROR


def no_directory(path: Path) -> str:
    """The message that `path` should be the directory of a project and is none."""
    return f"{path} is not a directory. `headrace init {path}` makes a project there."


def _missing(path: Path) -> str:
    return f"there is no {path}" if path.suffix in (".yaml", ".yml") else no_directory(path)


def _without_files(root: Path, requested: Path) -> str:
    """The message about a directory in which no file of a project is, by the path that the user wrote."""
    if is_project(root):
        return f"no file of a project is in {root}"
    written = root if requested == Path() or requested.is_file() else requested
    return f"{written} is not a Headrace project: it has neither {SETTINGS} nor flows/."


def is_project(directory: Path) -> bool:
    """Whether a directory is the root of a project."""
    return (directory / SETTINGS).is_file() or (directory / "flows").is_dir()


def project_root(path: Path) -> Path:
    """The project that a file or directory belongs to: the nearest directory with `headrace.yaml` or `flows/`.

    Without such a directory, the directory itself, or the one that the file is in.
    """
    start = path if path.is_dir() else path.parent
    for directory in (start, *start.parents):
        if is_project(directory):
            return directory
    return start


def _load(root: Path) -> LoadedProject:
    """The project, with the diagnostics of its test files as well."""
    with _without_collection():
        loaded = load_project(root, builtin())
        cases = load_cases(root, loaded)
    return structs.replace(
        loaded,
        diagnostics=(*loaded.diagnostics, *cases.diagnostics),
        sources={**loaded.sources, **cases.sources},
    )


@contextmanager
def _without_collection() -> Iterator[None]:
    """Stop the garbage collector: nearly all objects of a project stay, and it would look at each again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _only_requested(loaded: LoadedProject, root: Path, paths: list[Path]) -> LoadedProject:
    """The project with the diagnostics of the requested paths only; all of them when `root` was requested."""
    if root in paths:
        return loaded
    return only_files(loaded, (name for path in paths for name in _files_below(loaded, file_name(root, path))))


def _files_below(loaded: LoadedProject, requested: str) -> Iterator[str]:
    names = {*loaded.sources, *(diagnostic.file for diagnostic in loaded.diagnostics)}
    return (name for name in names if name == requested or name.startswith(requested + "/"))

"""`headrace check`: what is wrong with a project, before any event arrives."""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from msgspec import structs

from flows.cases import load_cases
from flows.diagnostic import render
from flows.files import SETTINGS, file_name
from flows.project import LoadedProject, load_project, only_files
from nodes import builtin

WELL, FINDINGS, WRONG_USAGE = 0, 1, 2


def check(paths: list[Path], colour: bool, out: TextIO) -> int:
    """Check projects, or files of them (default: the project of the current directory).

    Gives the exit code: 1 when there are errors (warnings do not fail), 2 for a path that is no part of a project.
    """
    chosen = [path.resolve() for path in paths or [Path()]]
    missing = [path for path in chosen if not path.exists()]
    out.writelines(f"there is no {path}\n" for path in missing)
    if missing:
        return WRONG_USAGE
    code = WELL
    for root in dict.fromkeys(map(project_root, chosen)):
        loaded = _chosen(_load(root), root, [path for path in chosen if project_root(path) == root])
        if not loaded.sources and not loaded.diagnostics:
            out.write(f"no file of a project is in {root}\n")
            return WRONG_USAGE
        out.write(render(loaded.diagnostics, loaded.sources, colour=colour))
        code = max(code, FINDINGS if loaded.failed else WELL)
    return code


def project_root(path: Path) -> Path:
    """The project that a file or directory belongs to: the nearest directory with `headrace.yaml` or `flows/`."""
    around = path if path.is_dir() else path.parent
    for directory in (around, *around.parents):
        if (directory / SETTINGS).is_file() or (directory / "flows").is_dir():
            return directory
    return around


def _load(root: Path) -> LoadedProject:
    """The project, with what is wrong in its test files as well."""
    loaded = load_project(root, builtin())
    cases = load_cases(root, loaded)
    return structs.replace(
        loaded,
        diagnostics=(*loaded.diagnostics, *cases.diagnostics),
        sources={**loaded.sources, **cases.sources},
    )


def _chosen(loaded: LoadedProject, root: Path, paths: list[Path]) -> LoadedProject:
    """What concerns the files that were asked for."""
    if root in paths:
        return loaded
    return only_files(loaded, (name for path in paths for name in _files(loaded, file_name(root, path))))


def _files(loaded: LoadedProject, asked: str) -> Iterator[str]:
    named = {*loaded.sources, *(diagnostic.file for diagnostic in loaded.diagnostics)}
    return (name for name in named if name == asked or name.startswith(asked + "/"))

"""The files of a project: which there are, and their texts."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from engine.problem import closest
from flows.diagnostic import Diagnostic
from flows.reader import MAX_CHARACTERS

SETTINGS: Final = "headrace.yaml"
FOLDERS: Final = ("flows", "segments", "sources")
TESTS: Final = ".test.yaml"

_THING = re.compile(r"^(flow|segment|source) *:", re.MULTILINE)
_WIDEST = 4  # bytes of a character in UTF-8


class Listing(Struct, frozen=True):
    """The files of one folder that are read, and what is wrong with others."""

    paths: tuple[Path, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def listing(root: Path, folder: str) -> Listing:
    """The YAML files below a folder of the project, sorted; tests and hidden files are not among them."""
    paths: list[Path] = []
    misnamed: list[Diagnostic] = []
    for path in _yaml_below(root, folder):
        if path.suffix == ".yml":
            misnamed.append(_misnamed(file_name(root, path)))
        elif not path.name.endswith(TESTS):
            paths.append(path)
    return Listing(tuple(paths), tuple(misnamed))


def _yaml_below(root: Path, folder: str) -> Iterator[Path]:
    """The YAML files below a folder, however they end; hidden ones and those of other projects are not among them."""
    apart: dict[Path, bool] = {root / folder: False}
    for path in sorted((root / folder).rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(root).parts) or not path.is_file():
            continue
        if path.suffix in (".yaml", ".yml") and not _elsewhere(path.parent, apart):
            yield path


def test_files(root: Path) -> tuple[Path, ...]:
    """The `*.test.yaml` below the project's folders, sorted."""
    return tuple(path for folder in FOLDERS for path in _yaml_below(root, folder) if path.name.endswith(TESTS))


def misplaced_files(root: Path) -> tuple[Diagnostic, ...]:
    """What lies beside the folders and `headrace.yaml`, and was probably meant to be read."""
    found = []
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.is_dir() and f"{path.name}s" in FOLDERS:
            help = f"did you mean `{path.name}s/`?"
            found.append(_unread(f"{path.name}", f"the folder `{path.name}/` is not read", help))
        elif path.is_dir() and path.name in ("test", "tests"):
            found += [_lost_test(root, test) for test in sorted(path.rglob(f"*{TESTS}"))]
        elif path.suffix in (".yaml", ".yml") and path.is_file() and path.name != SETTINGS:
            found += _stray(path)
    return tuple(found)


def _stray(path: Path) -> list[Diagnostic]:
    """A YAML file at the top, when its name or its first key is one that is known."""
    message = f"`{path.name}` is not read: at the top stands only `{SETTINGS}`"
    if closest(path.name, (SETTINGS,)) is not None:
        return [_unread(path.name, message, f"did you mean `{SETTINGS}`?")]
    if path.name.endswith(TESTS):
        return [_lost_test(path.parent, path)]
    text = read_text(path, path.name)
    key = _THING.search(text) if isinstance(text, str) else None
    return [_unread(path.name, message, f"this is a {key[1]}: move it to {key[1]}s/")] if key is not None else []


def _lost_test(root: Path, path: Path) -> Diagnostic:
    return _unread(file_name(root, path), "nobody plays the cases of this file", "move it to flows/, beside its flow")


def _unread(name: str, message: str, help: str) -> Diagnostic:
    return Diagnostic(code="H412", severity="warning", message=message, file=name, help=help)


def _elsewhere(folder: Path, apart: dict[Path, bool]) -> bool:
    """Whether a folder below `flows/` is part of another project, or below one."""
    if folder not in apart:
        apart[folder] = (folder / SETTINGS).exists() or (folder / "flows").is_dir() or _elsewhere(folder.parent, apart)
    return apart[folder]


def file_name(root: Path, path: Path) -> str:
    """What people call a file of the project: its path from the project's directory."""
    return path.relative_to(root).as_posix()


def read_text(path: Path, name: str) -> str | Diagnostic:
    """The text of a file; or what stands in the way of reading it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CHARACTERS * _WIDEST + 4)
    except OSError as error:
        return Diagnostic(code="H401", message=f"the file cannot be read: {error.strerror}", file=name)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if len(content) > MAX_CHARACTERS * _WIDEST:
            return Diagnostic(code="H024", message=f"a file may have {MAX_CHARACTERS:,} characters", file=name)
        line = content.count(b"\n", 0, error.start) + 1
        remedy = "save the file as UTF-8"
        return Diagnostic(
            code="H029", message="this line is not UTF-8", file=name, line=line, end_line=line, help=remedy
        )


def _misnamed(name: str) -> Diagnostic:
    return Diagnostic(
        code="H409",
        severity="warning",
        message="only files that end in .yaml are read",
        file=name,
        help=f"rename it to {name.removesuffix('.yml')}.yaml",
    )

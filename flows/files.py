"""The files of a project: which there are, and their texts."""

from pathlib import Path
from typing import Final

from msgspec import Struct

from flows.diagnostic import Diagnostic
from flows.reader import LARGEST

SETTINGS: Final = "headrace.yaml"
FOLDERS: Final = ("flows", "segments", "sources")

_WIDEST = 4  # bytes of a character in UTF-8


class Listing(Struct, frozen=True):
    """The files of one folder that are read, and what is wrong with others."""

    paths: tuple[Path, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def listing(root: Path, folder: str) -> Listing:
    """The YAML files below a folder of the project, sorted; tests and hidden files are not among them."""
    paths: list[Path] = []
    misnamed: list[Diagnostic] = []
    for path in sorted((root / folder).rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(root).parts) or not path.is_file():
            continue
        if path.suffix == ".yaml" and not path.name.endswith(".test.yaml"):
            paths.append(path)
        elif path.suffix == ".yml":
            misnamed.append(_misnamed(file_name(root, path)))
    return Listing(tuple(paths), tuple(misnamed))


def file_name(root: Path, path: Path) -> str:
    """What people call a file of the project: its path from the project's directory."""
    return path.relative_to(root).as_posix()


def read_text(path: Path, name: str) -> str | Diagnostic:
    """The text of a file; or what stands in the way of reading it."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST * _WIDEST + 4)
    except OSError as error:
        return Diagnostic(code="H401", message=f"the file cannot be read: {error.strerror}", file=name)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if len(content) > LARGEST * _WIDEST:
            return Diagnostic(code="H024", message=f"a file may have {LARGEST:,} characters", file=name)
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

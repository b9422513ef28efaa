"""The files of a project: finds and reads them, and warns of files that are not read."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from engine.problem import closest
from flows.diagnostic import Diagnostic
from flows.reader import MAX_CHARACTERS

SETTINGS: Final = "headrace.yaml"
FOLDERS: Final = ("flows", "segments", "sources", "schemas", "tasks", "webhooks", "imports")
WITH_SOURCE: Final = ("task", "webhook", "import")  # words of files that name a source as well
TESTS: Final = ".test.yaml"

_FIRST_KEY = re.compile(r"^(flow|segment|source|schema|task|webhook|import) *:", re.MULTILINE)
_MAX_UTF8 = 4  # bytes of a character in UTF-8


class Listing(Struct, frozen=True):
    """The files of one folder that are read, and warnings about others."""

    paths: tuple[Path, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def listing(root: Path, folder: str) -> Listing:
    """The YAML files below a folder of the project, sorted, without tests and hidden files."""
    paths: list[Path] = []
    misnamed: list[Diagnostic] = []
    for path in _yaml_below(root, folder):
        if path.suffix == ".yml":
            misnamed.append(_misnamed(file_name(root, path)))
        elif not path.name.endswith(TESTS):
            paths.append(path)
    return Listing(tuple(paths), tuple(misnamed))


def _yaml_below(root: Path, folder: str) -> Iterator[Path]:
    """The `.yaml` and `.yml` files below a folder, without hidden ones and those of other projects."""
    foreign: dict[Path, bool] = {root / folder: False}
    for path in sorted((root / folder).rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(root).parts) or not path.is_file():
            continue
        if path.suffix in (".yaml", ".yml") and not _is_foreign(path.parent, foreign):
            yield path


def test_files(root: Path) -> tuple[Path, ...]:
    """The `*.test.yaml` below the project's folders, sorted."""
    return tuple(path for folder in FOLDERS for path in _yaml_below(root, folder) if path.name.endswith(TESTS))


def misplaced_files(root: Path) -> tuple[Diagnostic, ...]:
    """Warnings about files and folders beside the known ones that were probably meant to be read."""
    warnings: list[Diagnostic] = []
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.is_dir() and f"{path.name}s" in (*FOLDERS, "nodes"):
            help = f"did you mean `{path.name}s/`?"
            warnings.append(_unread(f"{path.name}", f"the folder `{path.name}/` is not read", help))
        elif path.is_dir() and path.name in ("test", "tests"):
            warnings += [_misplaced_test(root, test) for test in sorted(path.rglob(f"*{TESTS}"))]
        elif path.suffix in (".yaml", ".yml") and path.is_file() and path.name != SETTINGS:
            warnings += _misplaced_yaml(path)
    return tuple(warnings)


def with_article(word: str) -> str:
    """Return the word of a file, such as `flow`, with its article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _misplaced_yaml(path: Path) -> list[Diagnostic]:
    """A warning about a YAML file in the project's directory whose name or key is a known one."""
    message = f"`{path.name}` is not read: only `{SETTINGS}` belongs here"
    if closest(path.name, (SETTINGS,)) is not None:
        return [_unread(path.name, message, f"did you mean `{SETTINGS}`?")]
    if path.name.endswith(TESTS):
        return [_misplaced_test(path.parent, path)]
    text = read_text(path, path.name)
    key = _FIRST_KEY.search(text) if isinstance(text, str) else None
    return (
        [_unread(path.name, message, f"this is {with_article(key[1])}: move it to {key[1]}s/")]
        if key is not None
        else []
    )


def _misplaced_test(root: Path, path: Path) -> Diagnostic:
    return _unread(file_name(root, path), "the cases of this file are never run", "move it to flows/, beside its flow")


def _unread(name: str, message: str, help: str) -> Diagnostic:
    return Diagnostic(code="H412", severity="warning", message=message, file=name, help=help)


def _is_foreign(folder: Path, foreign: dict[Path, bool]) -> bool:
    """Whether a folder is, or is below, another project. `foreign` caches the answers."""
    if folder not in foreign:
        is_project = (folder / SETTINGS).exists() or (folder / "flows").is_dir()
        foreign[folder] = is_project or _is_foreign(folder.parent, foreign)
    return foreign[folder]


def file_name(root: Path, path: Path) -> str:
    """The name of a file in reports: its path relative to the project's directory."""
    return path.relative_to(root).as_posix()


def read_text(path: Path, name: str) -> str | Diagnostic:
    """The text of a file, or the error that prevents reading it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CHARACTERS * _MAX_UTF8 + 4)
    except OSError as error:
        return Diagnostic(code="H401", message=f"the file cannot be read: {error.strerror}", file=name)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if len(content) > MAX_CHARACTERS * _MAX_UTF8:
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

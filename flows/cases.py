"""The test files of a project: found, read, and checked for what can be known without playing them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from engine.problem import KeyPath, closest, did_you_mean
from flows.case import CaseFile
from flows.diagnostic import Diagnostic, diagnose, ordered
from flows.files import file_name, read_text, test_files
from flows.project import LoadedProject
from flows.reader import Document, read_yaml
from flows.test_references import reference_problems
from flows.typed import read_struct

_OF_PROFILES: Final = ("traits", "pii", "consents", "segments", "metadata")


class Playable(Struct, frozen=True):
    """A test file that can be played, with its text and the places in it."""

    file: CaseFile
    document: Document


class LoadedCases(Struct, frozen=True):
    """The test files of a project as they were found. `sources` holds the text of each by its name."""

    files: tuple[Playable, ...]
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]


def load_cases(root: Path, loaded: LoadedProject) -> LoadedCases:
    """Read the test files of the project in the directory `root`, which `loaded` is."""
    files: list[Playable] = []
    diagnostics: list[Diagnostic] = []
    sources: dict[str, str] = {}
    for path in test_files(root):
        name = file_name(root, path)
        text = read_text(path, name)
        if isinstance(text, Diagnostic):
            diagnostics.append(text)
            sources[name] = ""
            continue
        document = read_yaml(text, name)
        sources[name] = document.text
        read, problems = _read(document, loaded)
        diagnostics += problems
        if read is not None and not any(one.severity == "error" for one in problems):
            files.append(Playable(read, document))
    return LoadedCases(tuple(files), tuple(ordered(diagnostics)), sources)


def _meant(key: str, at: KeyPath, known: Iterable[str]) -> str:
    """What to write in place of a key that is unknown at a place of a test file."""
    holder = next((step for step in reversed(at) if isinstance(step, str)), "")
    if key.partition(".")[0] in _OF_PROFILES and holder in ("expect", "given"):
        return f"write `profile: {{{key}: …}}`"
    if closest(key, known) is None and holder in ("event", "send", "events"):
        return f"of an event, write `properties: {{{key}: …}}`"
    if closest(key, known) is None and holder == "expect":
        listed = ", ".join(f"`{word}`" for word in known)
        return "write `refused: nothing-accepted`" if key == "status" else f"known here: {listed}"
    return did_you_mean(key, known)


def _read(document: Document, loaded: LoadedProject) -> tuple[CaseFile | None, list[Diagnostic]]:
    if document.problems:
        return None, diagnose(document, document.problems)
    file, problems = read_struct(CaseFile, document.data, "a test file", _meant)
    if file is not None:
        problems = list(reference_problems(file, loaded.project, loaded.named))
    return file, diagnose(document, problems)

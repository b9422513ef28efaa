"""Loads the test files of a project, and checks them as far as that is possible without running them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from engine.problem import KeyPath, closest
from flows.case import CaseFile
from flows.diagnostic import Diagnostic, diagnose, ordered
from flows.files import file_name, read_text, test_files
from flows.project import LoadedProject
from flows.reader import Document, read_yaml
from flows.recorded import RecordedRequest
from flows.recordings import recordings
from flows.test_references import reference_problems
from flows.typed import read_struct, suggest_key

_PROFILE_FIELDS: Final = ("traits", "pii", "consents", "segments", "metadata")
_OF_THE_FILE: Final = ("flow", "flows", "source", "clock")


class Playable(Struct, frozen=True):
    """A test file without errors, with its YAML document and the recorded requests that it plays, by their files."""

    file: CaseFile
    document: Document
    recorded: Mapping[str, tuple[RecordedRequest, ...]] = {}


class LoadedCases(Struct, frozen=True):
    """The test files of a project without errors, and the diagnostics of all. `sources` has the texts by file name."""

    files: tuple[Playable, ...]
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]


def load_cases(root: Path, loaded: LoadedProject) -> LoadedCases:
    """Load the test files of the project `loaded`, which is in the directory `root`."""
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
        file, recorded, problems = _read(document, path.parent, loaded)
        diagnostics += problems
        if file is not None and not any(problem.severity == "error" for problem in problems):
            files.append(Playable(file, document, recorded))
    return LoadedCases(tuple(files), tuple(ordered(diagnostics)), sources)


def _suggest_key(key: str, at: KeyPath, known: Iterable[str]) -> str:
    """The remedy for an unknown key at a key path of a test file."""
    parent = next((step for step in reversed(at) if isinstance(step, str)), "")
    if key.partition(".")[0] in _PROFILE_FIELDS and parent in ("expect", "given"):
        return f"write `profile: {{{key}: …}}`"
    if parent == "cases" and key in _OF_THE_FILE:
        return "write it at the top of the file: it holds for all cases"
    if key in ("userToken", "user_token") and parent in ("event", "send"):
        return "a test sends no user tokens: send by a source with `identify: trust`, which proves its keys, too"
    if closest(key, known) is None and parent in ("event", "send", "events"):
        return f"of an event, write `properties: {{{key}: …}}`"
    if closest(key, known) is None and parent == "expect":
        keys = ", ".join(f"`{word}`" for word in known)
        return "write `refused: nothing-accepted`" if key == "status" else f"known here: {keys}"
    return suggest_key(key, at, known)


def _read(
    document: Document, folder: Path, loaded: LoadedProject
) -> tuple[CaseFile | None, dict[str, tuple[RecordedRequest, ...]], list[Diagnostic]]:
    # a number of an event, `total: 49.90`, is sent as the number that it is
    written = diagnose(document, [p for p in document.problems if p.code != "H036" or p.severity == "error"])
    if document.failed:
        return None, {}, written
    file, problems = read_struct(CaseFile, document.data, "a test file", _suggest_key)
    recorded: dict[str, tuple[RecordedRequest, ...]] = {}
    if file is not None:
        problems = list(reference_problems(file, loaded.project, loaded.names))
        problems += recordings(file, folder, loaded.project.webhooks, recorded)
    return file, recorded, [*written, *diagnose(document, problems)]

"""Loading a project: all of its YAML into one frozen `Project`, and everything that is wrong with it.

A file with an error is left out and reported; all others serve. What it would have named still counts as a name, so
that one mistake is not reported again wherever the name is used.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, field, structs

from engine.flow.compile import compile_flow
from engine.flow.names import ProjectNames
from engine.flow.plan import Flow
from engine.flow.registry import Registry
from engine.problem import Problem
from engine.project.project import Project
from flows.client_sendable import client_sendable
from flows.counters import counters_of, unknown_counters
from flows.declared_increments import increments_of_declared_fields
from flows.diagnostic import Diagnostic, Related, diagnose, ordered
from flows.emit_cycle import emit_cycles
from flows.files import FOLDERS, SETTINGS, file_name, listing, misplaced_files, read_text
from flows.reader import Document, read_yaml
from flows.segment import read_segment
from flows.settings import LoadedSettings, read_settings
from flows.source import read_source

T = TypeVar("T")

_KEY = re.compile(r"([\w.-]+)\s*:")


class LoadedProject(Struct, frozen=True):
    """A project as it was found. `sources` holds the text of every file that was read, by its name.

    `named` holds by folder what things are called there, those with errors as well.
    """

    project: Project
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]
    named: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether anything was left out for an error."""
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)


def load_project(root: Path, registry: Registry, environment: Mapping[str, str] | None = None) -> LoadedProject:
    """Read the project in the directory `root`. Secrets come from `environment`, by default this process's."""
    loading = _Loading(root, os.environ if environment is None else environment)
    settings = loading.settings()
    segments = loading.named("segments", "segment", lambda _, data: read_segment(data))
    counters: list[frozenset[str]] = []  # of each flow that can be read
    sources = loading.named("sources", "source", lambda _, data: read_source(data, root, loading.environment))
    names = ProjectNames(
        segments=segments.names,
        manual_segments=segments.names - {name for name, s in segments.things.items() if not s.manual},
        targets=settings.named_targets,
        sources=sources.names,
    )

    def read_flow(document: Document, data: Any) -> tuple[Flow | None, list[Problem]]:
        version = sha256(document.text.encode()).hexdigest()
        flow, problems = compile_flow(data, names, registry, document.line, version=version, text=document.text)
        found = increments_of_declared_fields(data, settings.settings.fields)
        counters.append(frozenset(counters_of(data)))
        warned = [*client_sendable(flow, document.text), *emit_cycles(flow)] if flow is not None else []
        return (None if found else flow), [*problems, *found, *warned]

    flows = loading.named("flows", "flow", read_flow)
    if len(counters) >= len(flows.names):  # else there are flows that nobody can read
        known = frozenset().union(*counters)
        for name, document in segments.documents.items():
            loading.diagnostics += diagnose(document, list(unknown_counters(segments.things[name], known)))
    loading.diagnostics += misplaced_files(root)
    project = Project(
        name=settings.name or root.resolve().name,
        settings=settings.settings,
        flows=tuple(flows.things[name] for name in sorted(flows.things)),
        segments=segments.things,
        sources=sources.things,
        targets=settings.targets,
    )
    named = {"flows": flows.names, "segments": segments.names, "sources": sources.names}
    return LoadedProject(project, tuple(ordered(loading.diagnostics)), loading.sources, named)


class _Named(Struct, frozen=True):
    """The things of one folder, and every name that was meant to exist."""

    things: dict[str, Any]
    names: frozenset[str]
    documents: dict[str, Document]  # of the things


class _Loading:
    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.environment = environment
        self.diagnostics: list[Diagnostic] = []
        self.sources: dict[str, str] = {}

    def settings(self) -> LoadedSettings:
        """What `headrace.yaml` says; the defaults when there is none."""
        path = self.root / SETTINGS
        if not self.root.is_dir():
            self.diagnostics.append(Diagnostic(code="H401", message="there is no such directory", file=str(self.root)))
        if not path.exists():
            return LoadedSettings()
        document = self._document(path)
        if document is None:
            return LoadedSettings()
        if document.problems:  # whatever looks like a key may have been meant as a target
            return LoadedSettings(named_targets=frozenset(_KEY.findall(document.text)))
        read = read_settings(document.data, self.root, self.environment)
        self.diagnostics += diagnose(document, read.problems)
        return read

    def named(self, folder: str, key: str, read: Callable[[Document, Any], tuple[T | None, list[Problem]]]) -> _Named:
        """All things of a folder by the name that stands under `key`; the first of two with one name serves."""
        found = listing(self.root, folder)
        self.diagnostics += found.diagnostics
        things: dict[str, Any] = {}
        first: dict[str, Document] = {}
        presumed: set[str] = set()
        for path in found.paths:
            document = self._document(path)
            data = document.data if document is not None else None
            given = data.get(key) if isinstance(data, dict) else None
            name = given if isinstance(given, str) else path.stem
            presumed.add(name)
            if document is None or not self._readable(document, key) or self._misplaced(document, key):
                continue
            thing, problems = read(document, data)
            self.diagnostics += diagnose(document, problems)
            if name in first:
                self._twice(document, first[name], key, name)
                continue
            first[name] = document
            if thing is not None:
                things[name] = thing
        return _Named(things, frozenset(presumed), {name: first[name] for name in things})

    def _document(self, path: Path) -> Document | None:
        """The file as YAML, its problems reported; None when there is no text."""
        name = file_name(self.root, path)
        text = read_text(path, name)
        if isinstance(text, Diagnostic):
            self.diagnostics.append(text)
            self.sources[name] = ""
            return None
        document = read_yaml(text, name)
        self.sources[name] = document.text
        self.diagnostics += diagnose(document, document.problems)
        return document

    def _readable(self, document: Document, key: str) -> bool:
        if document.problems:
            return False
        if document.entries() is not None:
            return True
        message = "the file is empty" if document.data is None else f"the file holds no map with `{key}`"
        remedy = f"begin it with `{key}: the-name`"
        self.diagnostics += diagnose(document, [Problem(code="H030", message=message, help=remedy)])
        return False

    def _misplaced(self, document: Document, key: str) -> bool:
        """Whether this is one of the things that stand in another folder; that is said, and nothing else."""
        others = {folder.removesuffix("s"): folder for folder in FOLDERS}
        given = document.entries() or {}
        other = next((word for word in others if word in given), key)
        if key in given or other == key:
            return False
        problem = Problem(
            code="H411",
            message=f"this is a {other}, not a {key}",
            path=(other,),
            on="key",
            help=f"move it to {others[other]}/",
        )
        self.diagnostics += diagnose(document, [problem])
        return True

    def _twice(self, document: Document, first: Document, key: str, name: str) -> None:
        place = first.position((key,))
        message = f"the {key} `{name}` stands in {first.name} as well"
        related = Related(file=first.name, line=place.line, column=place.column, message="this one is used")
        problem = Problem(code="H405", message=message, path=(key,), help="give one of them another name")
        self.diagnostics += diagnose(document, [problem], (related,))


def only_files(loaded: LoadedProject, files: Iterable[str]) -> LoadedProject:
    """The same, with the diagnostics and texts of these files only."""
    wanted = frozenset(files)
    return structs.replace(
        loaded,
        diagnostics=tuple(diagnostic for diagnostic in loaded.diagnostics if diagnostic.file in wanted),
        sources={name: text for name, text in loaded.sources.items() if name in wanted},
    )

"""Loads a project: all of its YAML files into one frozen `Project`, with the diagnostics.

A file with an error is reported and left out; the others are used. Its name still counts as known, so that one mistake
is not reported again wherever the name is used.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, field, structs

from engine.flow.compile import compile_flow
from engine.flow.names import ProjectNames
from engine.flow.plan import Flow
from engine.flow.registry import Registry
from engine.problem import Problem
from engine.project.project import Project, Settings
from engine.project.script_task import ScriptTask
from engine.project.source import SCHEMA_MODES, Source, Target, is_mail, schema_of
from flows.claimed_keys import claims_beside_proofs, keys_of_sources
from flows.client_sendable import client_sendable
from flows.counters import counters_of, unknown_counters
from flows.declared_increments import increments_of_declared_fields
from flows.declared_objects import declared_paths, objects_at_declared_paths
from flows.diagnostic import Diagnostic, Related, diagnose, ordered, without_echoes
from flows.dropped_deliveries import dropped_deliveries
from flows.emit_cycle import emit_cycles
from flows.exclusive_keys import handed_over_by_others, only_set, unwired_other
from flows.files import FOLDERS, SETTINGS, WITH_SOURCE, file_name, listing, misplaced_files, read_text, with_article
from flows.flow_text import compiler_of, version_of
from flows.foreign_users import refused_users, users_without_a_key
from flows.geo import places_without_database
from flows.import_mapping import read_import
from flows.look_up_time import late_look_ups
from flows.own_nodes import own_nodes
from flows.reader import Document, read_yaml
from flows.schema import read_schema, unused_schema, with_fixed_schema
from flows.script import ScriptPlace
from flows.secret import is_made_up
from flows.segment import read_segment
from flows.settings import LoadedSettings, read_settings
from flows.shared_keys import shared_key
from flows.source import read_source
from flows.task import read_task
from flows.webhook import Surroundings, read_webhook

T = TypeVar("T")

_KEY = re.compile(r"([\w.-]+)\s*:")


class LoadedProject(Struct, frozen=True):
    """A project with its diagnostics. `sources` has the text of each file by file name.

    `names` has, by folder, the names of all flows, segments and sources, also of those with errors. `registry` has all
    node types that its flows may use, and `packages` are the installed ones that some of these come from.
    """

    project: Project
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    registry: Registry = field(default_factory=lambda: Registry(()))
    packages: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the project has an error."""
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)


def load_project(root: Path, registry: Registry, environment: Mapping[str, str] | None = None) -> LoadedProject:
    """Load the project in the directory `root`. Secrets come from `environment`, by default that of this process.

    Its flows use the node types of `registry` and its own ones, whose code is run.
    """
    own = own_nodes(root, registry)
    loader = _Loader(root, os.environ if environment is None else environment)
    settings = loader.settings()
    # with an error in headrace.yaml, it may be the declaration of an exclusive key that is wrong
    keys_known = all(diagnostic.severity == "warning" for diagnostic in loader.diagnostics)
    loader.diagnostics += own.diagnostics
    loader.sources |= own.sources
    segments = loader.folder("segments", "segment", lambda _, data: read_segment(data))
    sources = loader.folder("sources", "source", lambda _, data: read_source(data, root, loader.environment))
    schemas = loader.folder("schemas", "schema", lambda _, data: read_schema(data))
    applied = with_fixed_schema(sources.values) if settings.fixed_schema else sources.values
    loader.check_schemas(schemas, sources, applied)
    names = _names(segments, sources, schemas, applied, settings)
    reader = _FlowReader(names, own.registry, settings.settings, keys_known=keys_known)
    flows = loader.folder("flows", "flow", reader.read)
    if len(reader.counters) >= len(flows.names):  # else a flow that cannot be read may count them
        loader.check_counters(segments, frozenset().union(*reader.counters))
    tasks = loader.folder("tasks", "task", lambda document, data: read_task(data, names, loader.place_of(document)))
    distinct = loader.distinct_tasks(tasks, flows)
    around = Surroundings(
        names=names,
        sources=applied,
        flows=flows.values,
        flow_names=flows.names,
        has_users=settings.settings.keys.user is not None or not keys_known,
        public_url=settings.settings.public_url,
    )
    webhooks = loader.folder(
        "webhooks", "webhook", lambda document, data: read_webhook(data, loader.place_of(document), around)
    )
    imports = loader.folder("imports", "import", lambda document, data: read_import(data, document.text, names))
    loader.check_claims(sources, flows, settings.settings)
    loader.check_look_up_times(flows, applied)
    loader.check_deliveries(flows, applied, settings.targets)
    loader.check_places(flows, settings.settings)
    loader.diagnostics += misplaced_files(root)
    project = Project(
        name=settings.name or root.resolve().name,
        settings=settings.settings,
        flows=tuple(flows.values[name] for name in sorted(flows.values)),
        broken_flows=flows.names - flows.values.keys(),
        compile_text=compiler_of(names, own.registry),
        segments=segments.values,
        sources=applied,
        targets=settings.targets,
        schemas=schemas.values,
        tasks=distinct,
        webhooks=webhooks.values,
        imports=imports.values,
    )
    all_names = {"flows": flows.names, "segments": segments.names, "sources": sources.names}
    return LoadedProject(project, loader.report(), loader.sources, all_names, own.registry, own.packages)


def _names(
    segments: "_Folder", sources: "_Folder", schemas: "_Folder", applied: Mapping[str, Source], settings: LoadedSettings
) -> ProjectNames:
    """Return the names to which flows may refer; `applied` are the sources with the schemas that they have."""
    known = {name for name, target in settings.targets.items() if not is_made_up(target.url)}
    mail = {name for name in known if is_mail(settings.targets[name])}
    every_source_is_read = len(applied) == len(sources.names)
    return ProjectNames(
        segments=segments.names,
        manual_segments=segments.names - {name for name, s in segments.values.items() if not s.manual},
        targets=settings.named_targets,
        http_targets=frozenset(known - mail),
        mail_targets=frozenset(mail),
        senderless_targets=frozenset(name for name, target in settings.targets.items() if not target.sender),
        unsigned_targets=frozenset(name for name, target in settings.targets.items() if not target.secret),
        sources=sources.names,
        hash_keys=settings.named_hash_keys,
        fields={
            name: {field: one.type for field, one in schema.fields.items()} for name, schema in schemas.values.items()
        },
        typed=every_source_is_read and all(schema_of(each) != "none" for each in applied.values()),
    )


class _FlowReader:
    """Reads the flows of a project, by what is known of its other files.

    `keys_known`: `headrace.yaml` has no error. `counters` has one set for each flow that is valid YAML.
    """

    def __init__(self, names: ProjectNames, registry: Registry, settings: Settings, *, keys_known: bool) -> None:
        self._names = names
        self._registry = registry
        self._settings = settings
        self._keys_known = keys_known
        self._declared = declared_paths(settings)
        self.counters: list[frozenset[str]] = []

    def read(self, document: Document, data: Any) -> tuple[Flow | None, list[Problem]]:
        """Return the flow of a document, if it has no error, and its problems."""
        version, exclusive = version_of(document.text), self._settings.keys.exclusive
        flow, problems = compile_flow(
            data, self._names, self._registry, document.line, version=version, text=document.text
        )
        misuses = [
            *increments_of_declared_fields(data, self._settings.fields),
            *objects_at_declared_paths(data, self._declared),
        ]
        if not document.failed:
            self.counters.append(frozenset(counters_of(data)))
        if flow is not None and self._keys_known:
            misuses += handed_over_by_others(flow, data, exclusive)
        warnings = [*_warnings(flow, document, self._settings)] if flow is not None else []
        if flow is not None and not misuses:
            warnings += only_set(document.data, exclusive)
        return (None if misuses else flow), [*problems, *misuses, *warnings]


def _warnings(flow: Flow, document: Document, settings: Settings) -> Iterator[Problem]:
    """The warnings about a flow that the compiler does not know."""
    yield from client_sendable(flow, document.text)
    yield from emit_cycles(flow)
    yield from unwired_other(flow, document.data, settings.keys.exclusive)


class _Folder(Struct, frozen=True):
    """The content of one folder by name, e.g. its flows, with their documents, and the names of all its files."""

    values: dict[str, Any]
    names: frozenset[str]
    documents: dict[str, Document]


class _Loader:
    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.environment = environment
        self.diagnostics: list[Diagnostic] = []
        self.sources: dict[str, str] = {}

    def report(self) -> tuple[Diagnostic, ...]:
        """All diagnostics, sorted, and without those of which another at the same place is the cause."""
        return tuple(ordered(without_echoes(self.diagnostics)))

    def settings(self) -> LoadedSettings:
        """The settings in `headrace.yaml`; the defaults when there is no such file."""
        path = self.root / SETTINGS
        if not self.root.is_dir():
            self.diagnostics.append(Diagnostic(code="H401", message="there is no such directory", file=str(self.root)))
        if not path.exists():
            return LoadedSettings()
        document = self._document(path)
        if document is None:
            return LoadedSettings()
        if document.failed and not document.complete:
            words = frozenset(_KEY.findall(document.text))
            return LoadedSettings(named_targets=words, named_hash_keys=words)
        if self._is_misplaced(document, SETTINGS):
            return LoadedSettings()
        read = read_settings(document.data, self.root, self.environment)
        self.diagnostics += diagnose(document, document.independent(read.problems))
        if document.failed:  # every word before a colon may be the name of a target
            words = frozenset(_KEY.findall(document.text))
            return LoadedSettings(named_targets=words, named_hash_keys=words)
        return read

    def folder(self, folder: str, key: str, read: Callable[[Document, Any], tuple[T | None, list[Problem]]]) -> _Folder:
        """Read the files of a folder with `read`, by the name under `key`. Of two with one name the first is used."""
        files = listing(self.root, folder)
        self.diagnostics += files.diagnostics
        values: dict[str, Any] = {}
        first: dict[str, Document] = {}
        names: set[str] = set()
        for path in files.paths:
            document = self._document(path)
            data = document.data if document is not None else None
            written = data.get(key) if isinstance(data, dict) else None
            name = written if isinstance(written, str) else path.stem
            names.add(name)
            if document is None or not self._is_map(document, key) or self._is_misplaced(document, key):
                continue
            value, problems = read(document, data)
            self.diagnostics += diagnose(document, document.independent(problems))
            if name in first:
                self._report_duplicate(document, first[name], key, name)
                continue
            first[name] = document
            if value is not None and not document.failed:
                values[name] = value
        return _Folder(values, frozenset(names), {name: first[name] for name in values})

    def check_counters(self, segments: _Folder, known: frozenset[str]) -> None:
        """Report counters in the conditions of segments that no flow counts; `known` are those that one does."""
        for name, document in segments.documents.items():
            self.diagnostics += diagnose(document, list(unknown_counters(segments.values[name], known)))

    def check_claims(self, sources: _Folder, flows: _Folder, settings: Settings) -> None:
        """Report sources that only claim keys that another proves, that share a key, or that take no users."""
        merging = [(flow, flows.documents[name].data) for name, flow in flows.values.items()]
        keys = keys_of_sources(sources.names, merging, settings.keys.user)
        whole = not any(one.file == SETTINGS and one.severity == "error" for one in self.diagnostics)
        for name, document in sources.documents.items():
            source = sources.values[name]
            self.diagnostics += diagnose(document, claims_beside_proofs(source, document.data, sources.values, keys))
            self.diagnostics += diagnose(document, shared_key(source, sources.values))
            if settings.keys.user is None and whole:
                self.diagnostics += diagnose(document, users_without_a_key(source))
            if settings.keys.user is not None:
                self.diagnostics += diagnose(document, refused_users(source))

    def place_of(self, document: Document) -> ScriptPlace:
        """Return where the scripts of a file are."""
        return ScriptPlace(self.root, (self.root / document.name).parent, self.environment)

    def distinct_tasks(self, tasks: _Folder, flows: _Folder) -> dict[str, ScriptTask]:
        """Return the tasks without those that have the name of a flow with a schedule, which are reported.

        In the store, both would have one state.
        """
        scheduled = {name for name, flow in flows.values.items() if flow.trigger.schedule is not None}
        for name in sorted(scheduled & tasks.values.keys()):
            self._report_duplicate(tasks.documents[name], flows.documents[name], "task", name, other="flow")
        return {name: task for name, task in tasks.values.items() if name not in scheduled}

    def check_look_up_times(self, flows: _Folder, sources: Mapping[str, Source]) -> None:
        """Report flows whose look-ups may take longer than a source waits for its answer."""
        for name, document in flows.documents.items():
            self.diagnostics += diagnose(document, late_look_ups(flows.values[name], sources.values()))

    def check_deliveries(self, flows: _Folder, sources: Mapping[str, Source], targets: Mapping[str, Target]) -> None:
        """Report nodes that deliver for a source in `mode: test` to a target that has no test part."""
        for name, document in flows.documents.items():
            dropped = dropped_deliveries(flows.values[name], document.data, sources.values(), targets)
            self.diagnostics += diagnose(document, dropped)

    def check_places(self, flows: _Folder, settings: Settings) -> None:
        """Report nodes that look up a place where the project has no database."""
        for document in flows.documents.values():
            found = places_without_database(document.data["nodes"], settings.geo)
            self.diagnostics += diagnose(document, found)

    def check_schemas(self, schemas: _Folder, sources: _Folder, applied: Mapping[str, Source]) -> None:
        """Report schemas that no source applies; `applied` are the sources with the schemas that they have."""
        if len(applied) < len(sources.names):  # one that cannot be read may apply them
            return
        for name, document in schemas.documents.items():
            self.diagnostics += diagnose(document, list(unused_schema(schemas.values[name], applied)))

    def _document(self, path: Path) -> Document | None:
        """Read a file as YAML and report its problems; None when it has no text."""
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

    def _is_map(self, document: Document, key: str) -> bool:
        """Whether a document is a map with all of its keys; else reports that, unless the reader has."""
        if not document.complete or (document.failed and document.entries() is None):
            return False
        if document.entries() is not None:
            return True
        message = "the file is empty" if document.data is None else f"the file holds no map with `{key}`"
        remedy = f"begin it with `{key}: the-name`"
        if isinstance(document.data, list):
            message = f"the file is a list, and a {key} is a map"
            remedy = "delete the dash, and put the lines below it two columns to the left; write a file for each item"
        self.diagnostics += diagnose(document, [Problem(code="H030", message=message, help=remedy)])
        return False

    def _is_misplaced(self, document: Document, key: str) -> bool:
        """Whether a document belongs in another folder, by its keys; then reports only that."""
        others = {folder.removesuffix("s"): folder for folder in FOLDERS}
        entries = document.entries() or {}
        other = next((word for word in others if word in entries and entries[word] not in SCHEMA_MODES), key)
        with_source = next((word for word in WITH_SOURCE if word in entries), None)  # its files name a source, too
        if with_source is None and (key in entries or "script" in entries or _may_name_source(key, entries)):
            return False
        other = with_source or other
        if other == key:
            return False
        problem = Problem(
            code="H411",
            message=f"this is {with_article(other)}, not {key if key == SETTINGS else with_article(key)}",
            path=(other,),
            on="key",
            help=f"move it to {others[other]}/",
        )
        self.diagnostics += diagnose(document, [problem])
        return True

    def _report_duplicate(self, document: Document, first: Document, key: str, name: str, other: str = "") -> None:
        position = first.position((other or key,))
        message = f"{first.name} has the {other or key} `{name}` as well"
        related = Related(file=first.name, line=position.line, column=position.column, message="this one is used")
        problem = Problem(code="H405", message=message, path=(key,), help="give one of them another name")
        self.diagnostics += diagnose(document, [problem], (related,))


def _may_name_source(key: str, entries: Mapping[str, Any]) -> bool:
    """Whether a file of this kind only names a source, and lacks its own word; a source has no other keys."""
    return key in WITH_SOURCE and "source" in entries and not entries.keys() <= set(Source.__struct_fields__)


def only_files(loaded: LoadedProject, files: Iterable[str]) -> LoadedProject:
    """A copy of a loaded project with the diagnostics and texts of these files only."""
    wanted = frozenset(files)
    return structs.replace(
        loaded,
        diagnostics=tuple(diagnostic for diagnostic in loaded.diagnostics if diagnostic.file in wanted),
        sources={name: text for name, text in loaded.sources.items() if name in wanted},
    )

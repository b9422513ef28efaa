"""The roster: what there is to be named in a test file, and who has come so far in a case."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import UNSET

from engine.flow.plan import Flow
from engine.language.path import parse_path
from engine.problem import KeyPath, Problem, ProblemError, closest, did_you_mean
from engine.project.project import Project
from flows.address import Addresses
from flows.case import CaseFile

On = Literal["key", "value"]


class KnownNames:
    """The names of a project for one test file. `named` has those of things that are there and cannot be read."""

    def __init__(self, file: CaseFile, project: Project, named: Mapping[str, frozenset[str]]) -> None:
        self.project = project
        self.flows: dict[str, Flow] = {flow.name: flow for flow in project.flows}
        self.home = file.flow if isinstance(file.flow, str) else None
        self.addresses = Addresses(project, self.home)
        self.visitors: list[str] = []
        self.says_source = file.source is not UNSET
        self._names = {"flow": named["flows"], "segment": named["segments"], "source": named["sources"]}
        self._whole = len(self.flows) == len(named["flows"])  # else a node may be in a flow that cannot be read

    def sources(self) -> list[str]:
        """The names of all sources."""
        return sorted(self._names["source"])

    def known(self, kind: str, name: object, at: KeyPath, on: On = "value") -> Iterator[Problem]:
        """A flow, segment or source that is named at a place, if it is named at all."""
        if isinstance(name, str) and name not in self._names[kind]:
            help = did_you_mean(name, self._names[kind])
            yield Problem(code="H421", message=f"there is no {kind} `{name}`", path=at, on=on, help=help)

    def segments(self, named: str | Iterable[str], at: KeyPath) -> Iterator[Problem]:
        """One segment, or a list of them."""
        listed = [(named, at)] if isinstance(named, str) else [(name, (*at, i)) for i, name in enumerate(named)]
        for name, place in listed:
            yield from self.known("segment", name, place)

    def came(self, names: Iterable[str], at: KeyPath) -> Iterator[Problem]:
        """Visitors in a list, who must have come before."""
        for i, name in enumerate(names):
            yield from self.visitor(name, (*at, i), "value")

    def visitor(self, name: str, at: KeyPath, on: On) -> Iterator[Problem]:
        """A visitor who must have come before."""
        if name not in self.visitors:
            help = did_you_mean(name, self.visitors) or "those who have come are named by `visitor:` and `given:`"
            yield Problem(code="H421", message=f"no visitor `{name}` has come so far", path=at, on=on, help=help)

    def node(self, flow: Flow, id: str, at: KeyPath, on: On = "value") -> Iterator[Problem]:
        """A node of one flow."""
        if id not in flow.indexes:
            message, help = f"the flow `{flow.name}` has no node `{id}`", did_you_mean(id, flow.indexes)
            yield Problem(code="H421", message=message, path=at, on=on, help=help)

    def port(self, flow: Flow, id: str, port: str, at: KeyPath) -> Iterator[Problem]:
        """A node of one flow as the key, and one of its ports as the value."""
        yield from self.node(flow, id, at, "key")
        ports = flow.nodes[flow.indexes[id]].ports if id in flow.indexes else (port,)
        if port not in ports:
            message, help = f"`{id}` has no port `{port}`", did_you_mean(port, ports)
            yield Problem(code="H421", message=message, path=at, help=help)

    def outside(self, text: str, at: KeyPath) -> Iterator[Problem]:
        """A key that names a node which asks a target."""
        try:
            self.addresses.outside(text)
        except ProblemError as error:
            if self._whole or error.problem.code != "H421":
                yield _on_key(error.problem, at)


def field(text: str, at: KeyPath, root: str, fields: Iterable[str], home: str) -> Iterator[Problem]:
    """A key that is a dotted path below `root`, which has these `fields`; what an author names lies below `home`."""
    try:
        name = parse_path(text)[0]
    except ProblemError as error:
        yield _on_key(error.problem, at)
        return
    if name not in fields:
        near = closest(name, fields)
        help = f"did you mean `{near}{text.removeprefix(name)}`?" if near else f"did you mean `{home}.{text}`?"
        yield Problem(code="H421", message=f"`{root}` has no field `{name}`", path=at, on="key", help=help)


def dotted(text: str, at: KeyPath) -> Iterator[Problem]:
    """A key that is a dotted path."""
    try:
        parse_path(text)
    except ProblemError as error:
        yield _on_key(error.problem, at)


def _on_key(problem: Problem, at: KeyPath) -> Problem:
    return Problem(code=problem.code, message=problem.message, path=at, on="key", help=problem.help)

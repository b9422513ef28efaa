"""The names that a test file may use: those of flows, nodes, segments and sources, and its own visitors."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import UNSET, structs

from engine.flow.plan import Flow
from engine.language.path import parse_path
from engine.problem import KeyPath, Problem, ProblemError, closest, did_you_mean
from engine.project.project import Project
from flows.address import Addresses, split_name, turn_problem
from flows.case import CaseFile

On = Literal["key", "value"]


class KnownNames:
    """Checks the names in one test file. Each method yields a problem for a name that is unknown.

    `names` has, by folder, the names of all flows, segments and sources, also of those that cannot be read. `visitors`
    are those of the current case up to the current step.
    """

    def __init__(self, file: CaseFile, project: Project, names: Mapping[str, frozenset[str]]) -> None:
        self.project = project
        self.flows: dict[str, Flow] = {flow.name: flow for flow in project.flows}
        self.home = file.flow if isinstance(file.flow, str) else None
        self.addresses = Addresses(project, self.home)
        self.visitors: list[str] = []
        self.has_source = file.source is not UNSET
        self._names = {"flow": names["flows"], "segment": names["segments"], "source": names["sources"]}
        self._names["target"] = frozenset(project.targets)
        self._complete = len(self.flows) == len(names["flows"])  # else an unknown node may be in an unreadable flow

    def sources(self) -> list[str]:
        """The names of all sources, sorted."""
        return sorted(self._names["source"])

    def known(self, kind: str, name: object, at: KeyPath, on: On = "value") -> Iterator[Problem]:
        """Check the name of a flow, segment, source or target; `name` may be UNSET."""
        if isinstance(name, str) and name not in self._names[kind]:
            help = did_you_mean(name, self._names[kind])
            yield Problem(code="H421", message=f"there is no {kind} `{name}`", path=at, on=on, help=help)

    def segments(self, names: str | Iterable[str], at: KeyPath) -> Iterator[Problem]:
        """Check the name of one segment, or of each in a list."""
        located = [(names, at)] if isinstance(names, str) else [(name, (*at, i)) for i, name in enumerate(names)]
        for name, path in located:
            yield from self.known("segment", name, path)

    def earlier_visitors(self, names: Iterable[str], at: KeyPath) -> Iterator[Problem]:
        """Check each visitor in a list."""
        for i, name in enumerate(names):
            yield from self.earlier_visitor(name, (*at, i), "value")

    def earlier_visitor(self, name: str, at: KeyPath, on: On) -> Iterator[Problem]:
        """Check a visitor, who must be in `given` or have sent something in this step or an earlier one."""
        if name not in self.visitors:
            help = (
                did_you_mean(name, self.visitors) or "a visitor is named by `visitor:` of a `send`, or under `given:`"
            )
            message = f"there is no visitor `{name}` up to this step"
            yield Problem(code="H421", message=message, path=at, on=on, help=help)

    def node(self, flow: Flow, id: str, at: KeyPath, on: On = "value") -> Iterator[Problem]:
        """Check the id of a node in a flow that is in no loop."""
        if id in flow.all_nodes and id not in flow.indexes:
            message = f"`{id}` is in the loop `{flow.loops_around(id)[0]}`, so it is in no path"
            yield Problem(code="H421", message=message, path=at, on=on, help="name the loop alone")
        elif id not in flow.indexes:
            message, help = f"the flow `{flow.name}` has no node `{id}`", did_you_mean(id, flow.indexes)
            yield Problem(code="H421", message=message, path=at, on=on, help=help)

    def port(self, flow: Flow, id: str, port: str, at: KeyPath) -> Iterator[Problem]:
        """Check a node of a flow, perhaps in one turn, as the key, and its port as the value."""
        _, turns, plain = split_name(id)
        problem = turn_problem(flow, turns, plain) if plain in flow.all_nodes else None
        if problem is not None:
            yield structs.replace(problem, path=at, on="key")
        elif plain not in flow.all_nodes:
            yield from self.node(flow, plain, at, "key")
        ports = flow.all_nodes[plain].ports if plain in flow.all_nodes else (port,)
        if port not in ports:
            message, help = f"`{id}` has no port `{port}`", did_you_mean(port, ports)
            yield Problem(code="H421", message=message, path=at, help=help)

    def outside(self, text: str, at: KeyPath) -> Iterator[Problem]:
        """Check a key that names a node which sends requests."""
        try:
            self.addresses.outside(text)
        except ProblemError as error:
            if self._complete or error.problem.code != "H421":
                yield structs.replace(error.problem, path=at, on="key")


def field(text: str, at: KeyPath, root: str, fields: Iterable[str], home: str) -> Iterator[Problem]:
    """Check a key that is a path below `root`, whose fields are `fields`; an author's own names are below `home`."""
    try:
        name = parse_path(text)[0]
    except ProblemError as error:
        yield structs.replace(error.problem, path=at, on="key")
        return
    if name not in fields:
        near = closest(name, fields)
        help = f"did you mean `{near}{text.removeprefix(name)}`?" if near else f"did you mean `{home}.{text}`?"
        yield Problem(code="H421", message=f"`{root}` has no field `{name}`", path=at, on="key", help=help)


def path_key(text: str, at: KeyPath) -> Iterator[Problem]:
    """Check a key that is a path."""
    try:
        parse_path(text)
    except ProblemError as error:
        yield structs.replace(error.problem, path=at, on="key")

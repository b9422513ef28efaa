"""What can be wrong with the graph of a flow: cycles, unreachable nodes, reads of what may not be there, races.

Codes: H301 cycle, H302 unreachable, H303 unwired failure port, H304 reads a node that has not run before,
H305 reads a node that may not have run, H306 parallel writes, H307 parallel attach, H308 profile in a flow without one,
H310 `join: all` of branches that exclude each other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import combinations, pairwise

from engine.flow.node import Node, Port, type_name
from engine.language.expression import Read
from engine.problem import KeyPath, Problem, did_you_mean

Edge = tuple[str, str, str, KeyPath]  # source, port, target, where it is written

ATTACHING = frozenset({"profile.attach", "session.attach"})


@dataclass(frozen=True)
class Wiring:
    """A flow's graph as written; ids in the order of writing."""

    nodes: Mapping[str, type[Node]]
    ports: Mapping[str, Mapping[str, Port]]
    edges: list[Edge]
    starts: tuple[str, ...]
    reads: Mapping[str, list[tuple[KeyPath, Read]]]
    writes: Mapping[str, list[tuple[KeyPath, tuple[str, ...]]]]
    joins: Mapping[str, str]
    guarded: frozenset[str]
    places: Mapping[str, KeyPath]
    profile: str
    trigger_reads: list[tuple[KeyPath, Read]]

    def into(self, id: str) -> list[Edge]:
        """The edges that end at `id`."""
        return self._by_end[id][0]

    def out_of(self, id: str) -> list[Edge]:
        """The edges that leave `id`."""
        return self._by_end[id][1]

    @cached_property
    def _by_end(self) -> dict[str, tuple[list[Edge], list[Edge]]]:
        found: dict[str, tuple[list[Edge], list[Edge]]] = {id: ([], []) for id in self.nodes}
        for edge in self.edges:
            found[edge[2]][0].append(edge)
            found[edge[0]][1].append(edge)
        return found


def check_graph(wiring: Wiring) -> list[Problem]:
    """All problems of the graph. With a cycle only that is said, since nothing else can be."""
    cycle = find_cycle(wiring)
    if cycle:
        return [cycle]
    paths = Paths(wiring)
    return [
        *_unreachable(wiring),
        *_never_together(wiring, paths),
        *_unwired(wiring),
        *_outputs(wiring, paths),
        *_races(wiring, paths),
        *_profileless(wiring),
    ]


def plan_order(wiring: Wiring) -> list[str]:
    """A topological order; ties go by the order of writing. The graph has no cycle."""
    ids = list(wiring.nodes)
    written = {id: i for i, id in enumerate(ids)}
    waiting = {id: len(wiring.into(id)) for id in ids}
    ready = [written[id] for id, left in waiting.items() if left == 0]
    heapify(ready)
    order: list[str] = []
    while ready:
        order.append(ids[heappop(ready)])
        for _, _, target, _ in wiring.out_of(order[-1]):
            waiting[target] -= 1
            if waiting[target] == 0:
                heappush(ready, written[target])
    return order


def find_cycle(wiring: Wiring) -> Problem | None:
    """The first cycle, said as a path, at the edge that closes it."""
    state: dict[str, int] = {}
    for start in wiring.nodes:
        stack: list[tuple[str, Iterator[Edge]]] = []
        if start not in state:
            state[start] = 1
            stack.append((start, iter(wiring.out_of(start))))
        while stack:
            id, edges = stack[-1]
            edge = next(edges, None)
            if edge is None:
                state[id] = 2
                stack.pop()
            elif state.get(edge[2]) == 1:
                ids = [s for s, _ in stack]
                loop = [*ids[ids.index(edge[2]) :], edge[2]]
                message = "nodes form a cycle: " + " → ".join(loop)
                return Problem(code="H301", message=message, path=edge[3], help=f"`{id}` → `{edge[2]}` closes it")
            elif edge[2] not in state:
                state[edge[2]] = 1
                stack.append((edge[2], iter(wiring.out_of(edge[2]))))
    return None


class Paths:
    """For every node: what may have run before it, and what surely has, by which ports.

    `before[x]` holds every node that `x` may see. `ports[x]` holds those that have run whenever `x` runs, each with
    the ports that it can have left by then.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.before: dict[str, frozenset[str]] = {}
        self.ports: dict[str, dict[str, frozenset[str]]] = {}
        for id in plan_order(wiring):
            leading: dict[str, frozenset[str]] = {}
            for source, port, _, _ in wiring.into(id):
                leading[source] = leading.get(source, frozenset()) | {port}
            self.before[id] = frozenset().union(*({source} | self.before[source] for source in leading))
            ways = [{**self.ports[source], source: ports} for source, ports in leading.items()]
            if wiring.joins[id] == "all":  # it came all these ways
                self.ports[id] = _all(ways)
            else:  # one of them, or none when it is a start
                self.ports[id] = _any([*ways, {}] if id in wiring.starts else ways)

    def apart(self, a: str, b: str) -> bool:
        """Whether the two never run in the same run: some node would have to leave by two ports."""
        one, other = self.ports[a], self.ports[b]
        return any(ports.isdisjoint(other[id]) for id, ports in one.items() if id in other)

    def parallel(self, a: str, b: str) -> bool:
        """Whether both may run in a run, neither after the other."""
        return a not in self.before[b] and b not in self.before[a] and not self.apart(a, b)


def _all(ways: list[dict[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    together: dict[str, frozenset[str]] = {}
    for way in ways:
        for id, ports in way.items():
            together[id] = together[id] & ports if id in together else ports
    return together


def _any(ways: list[dict[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    first, *others = ways or [{}]
    return {
        id: ports.union(*(way[id] for way in others)) for id, ports in first.items() if all(id in way for way in others)
    }


def _unreachable(wiring: Wiring) -> Iterator[Problem]:
    for before, id in pairwise([None, *wiring.nodes]):
        if id is not None and id not in wiring.starts and not wiring.into(id):
            message = f"node `{id}` is never reached: no edge leads to it"
            ends = before is not None and not wiring.out_of(before)
            written = f"write `next: {id}` in `{before}`" if ends else "name it in some node's `next`"
            help = f"{written}, or begin there too: `start: [{', '.join([*wiring.starts, id])}]`"
            yield Problem(code="H302", message=message, path=wiring.places[id], on="key", help=help)


def _never_together(wiring: Wiring, paths: Paths) -> Iterator[Problem]:
    for id, join in wiring.joins.items():
        torn = next((other for other, ports in paths.ports[id].items() if not ports), None)
        if join == "all" and torn is not None:
            message = f"node `{id}` never runs: `join: all` waits for branches that exclude each other behind `{torn}`"
            help = "drop `join: all`: then it runs behind whichever branch is taken"
            yield Problem(code="H310", message=message, path=(*wiring.places[id], "join"), help=help)


def _unwired(wiring: Wiring) -> Iterator[Problem]:
    for id, node in wiring.nodes.items():
        wired = {port for _, port, _, _ in wiring.out_of(id)}
        if node.may_fail and "failed" not in wired:
            yield Problem(
                code="H303",
                message=f"port `failed` of `{id}` ({type_name(node)}) goes nowhere: failing ends the run as failed",
                path=wiring.places[id],
                on="key",
                help=f"wire it: `next: {{…, failed: some_node}}` in `{id}`",
                severity="warning",
            )


def _outputs(wiring: Wiring, paths: Paths) -> Iterator[Problem]:
    for id, reads in wiring.reads.items():
        for at, read in reads:
            if read.path[0] == "nodes" and len(read.path) > 1:
                problem = _output(wiring, paths, id, read)
                if problem is not None:
                    yield problem.below(at)


def _output(wiring: Wiring, paths: Paths, id: str, read: Read) -> Problem | None:
    other = read.path[1]
    if other not in wiring.nodes:
        help = did_you_mean(other, [n for n in wiring.nodes if n != id])
        return Problem(
            code="H117", message=f"there is no node `{other}`", help=help, offset=read.offset, length=read.length
        )
    if len(read.path) > 2 and read.path[2] != "out":
        help = f"write `nodes.{other}.out.{read.path[2]}`"
        message = f"a node has `out` only, not `{read.path[2]}`"
        return Problem(code="H304", message=message, help=help, offset=read.offset, length=read.length)
    if other not in paths.before[id]:
        message = f"`{other}` has not run when `{id}` runs: no path leads from it to here"
        return Problem(code="H304", message=message, offset=read.offset, length=read.length)
    gap = _gap(wiring, paths, id, other)
    if read.handled or not gap:
        return None
    help = f"give a fallback: `{'.'.join(read.path)} | default(…)`"
    message = f"`{other}` may {gap} when `{id}` runs, then it has no output"
    return Problem(code="H305", message=message, help=help, offset=read.offset, length=read.length)


def _gap(wiring: Wiring, paths: Paths, id: str, other: str) -> str:
    """How it can be that `other` has no output when `id` runs; empty when it cannot be."""
    ports = paths.ports[id].get(other)
    if ports is None or (other in wiring.guarded and "skipped" in ports):
        return "not have run"
    failures = sorted(port for port in ports if port in wiring.ports[other] and wiring.ports[other][port].failure)
    return f"have left by `{failures[0]}`" if failures else ""


def _races(wiring: Wiring, paths: Paths) -> Iterator[Problem]:
    for a, b in combinations(_reached(wiring), 2):
        if not paths.parallel(a, b):
            continue
        type = type_name(wiring.nodes[a])
        if type in ATTACHING and wiring.nodes[a] is wiring.nodes[b]:
            message = f"`{a}` and `{b}` may both attach a {type.partition('.')[0]}, side by side"
            yield Problem(code="H307", message=message, path=wiring.places[b], on="key", help="put one after the other")
        yield from _shared_writes(wiring, a, b)
        yield from _read_while_written(wiring, a, b)
        yield from _read_while_written(wiring, b, a)


def _reached(wiring: Wiring) -> list[str]:
    """The nodes that a run may come to, in the order of writing."""
    reached, ahead = set(wiring.starts), list(wiring.starts)
    while ahead:
        found = {target for _, _, target, _ in wiring.out_of(ahead.pop())} - reached
        reached |= found
        ahead += found
    return [id for id in wiring.nodes if id in reached]


def _shared_writes(wiring: Wiring, a: str, b: str) -> Iterator[Problem]:
    commute = wiring.nodes[a].commutes and wiring.nodes[a] is wiring.nodes[b]
    for _, one in wiring.writes[a]:
        for at, other in wiring.writes[b]:
            if _overlap(one, other) and not (commute and one == other):  # parallel increments both count
                shown = ".".join(other[1:])
                message = f"`{a}` and `{b}` run side by side and both write `{shown}`; the later in plan order decides"
                yield Problem(code="H306", message=message, path=at, on="key", severity="warning")


def _read_while_written(wiring: Wiring, writer: str, reader: str) -> Iterator[Problem]:
    for at, read in wiring.reads[reader]:
        if any(_overlap(written, read.path) for _, written in wiring.writes[writer]):
            path = ".".join(read.path)
            message = f"`{reader}` reads `{path}` while `{writer}` writes it side by side; it sees the old value"
            yield Problem(
                code="H306", message=message, offset=read.offset, length=read.length, severity="warning"
            ).below(at)


def _overlap(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    short = min(len(a), len(b))
    return a[:short] == b[:short]


def _profileless(wiring: Wiring) -> Iterator[Problem]:
    if wiring.profile != "none":
        return
    help = "drop `profile: none`, or look the data up without a profile"
    for id, node in wiring.nodes.items():
        if node.uses_profile:
            message = f"`{type_name(node)}` needs a profile, but this flow says `profile: none`"
            yield Problem(code="H308", message=message, path=(*wiring.places[id], type_name(node)), on="key", help=help)
    everything = [*wiring.trigger_reads, *(r for reads in wiring.reads.values() for r in reads)]
    for at, read in everything:
        if read.path[0] == "profile":
            message = f"`{'.'.join(read.path)}` is read, but this flow says `profile: none`"
            yield Problem(code="H308", message=message, offset=read.offset, length=read.length, help=help).below(at)

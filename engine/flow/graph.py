"""Checks of a flow's graph: cycles, unreachable nodes, reads of outputs that may be missing, races.

The checks ask two things about a pair of nodes: may one have run before the other, and may both run in one run? `Paths`
answers both for all runs at once. It walks the nodes in plan order and computes, for each node, the nodes that have run
whenever it runs, each with the ports by which they may have left. With `join: all` a node comes after all its sources,
so it knows the union of what they know; otherwise it comes after any of them, so it knows what they have in common.
Two nodes exclude each other when some node would have to leave by two ports for both to run. Two nodes run in parallel
when no path connects them and they do not exclude each other.

Codes: H301 cycle, H302 unreachable, H303 unwired failure port, H304 reads a node that has not run before,
H305 reads a node that may not have run, H306 parallel writes, H307 parallel attach, H308 profile in a flow without one,
H310 `join: all` of branches that exclude each other, H312 needs the sender of the event, behind a node that waits;
H223 reads an output that the node does not have.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import combinations, pairwise

from msgspec import structs

from engine.flow.node import NO_OUTPUT, Node, Port, type_name
from engine.language.expression import Read
from engine.language.kinds import Shape
from engine.language.path import show_path
from engine.language.refusal import UNKNOWN_OUTPUT
from engine.problem import KeyPath, Problem, closest, did_you_mean

Edge = tuple[str, str, str, KeyPath]  # source, port, target, key path in the document

ATTACHING = frozenset({"profile.attach", "session.attach"})
NEEDS_SENDER: Mapping[str, str] = {
    "respond": "put it before the node that waits",
    "session.hand_over": "put it before the node that waits: what comes later is no visit of this session",
}


@dataclass(frozen=True)
class InnerNode:
    """A node in a loop, or in a loop within that: its type, its key path, and the id of the outermost loop."""

    loop: str
    node: type[Node]
    place: KeyPath


@dataclass(frozen=True)
class Wiring:
    """A flow's graph as written. Maps are by node id, in the order of the file."""

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
    outputs: Mapping[str, Shape]
    trigger_reads: list[tuple[KeyPath, Read]]
    profile_needs: Mapping[str, list[tuple[KeyPath, str]]]
    scheduled: bool = False  # the flow has no profile since it has a schedule
    around: frozenset[str] = frozenset()  # of a loop's body: the ids of the nodes outside, which it may read
    inner: "Mapping[str, InnerNode]" = field(default_factory=dict)  # the nodes in its loops, by id

    @property
    def places_of_types(self) -> Iterator[tuple[str, type[Node], KeyPath]]:
        """Yield all nodes, also those in loops: the id of the node or of its loop, its type and its key path."""
        yield from ((id, node, self.places[id]) for id, node in self.nodes.items())
        yield from ((inner.loop, inner.node, inner.place) for inner in self.inner.values())

    def into(self, id: str) -> list[Edge]:
        """The edges that end at `id`."""
        return self._by_end[id][0]

    def out_of(self, id: str) -> list[Edge]:
        """The edges that leave `id`."""
        return self._by_end[id][1]

    @cached_property
    def _by_end(self) -> dict[str, tuple[list[Edge], list[Edge]]]:
        by_end: dict[str, tuple[list[Edge], list[Edge]]] = {id: ([], []) for id in self.nodes}
        for edge in self.edges:
            by_end[edge[2]][0].append(edge)
            by_end[edge[0]][1].append(edge)
        return by_end


def check_graph(wiring: Wiring) -> list[Problem]:
    """All problems of the graph. A cycle is reported alone, since the other checks need a graph without one."""
    cycle = find_cycle(wiring)
    if cycle:
        return [cycle]
    paths = Paths(wiring)
    return [
        *_unreachable(wiring),
        *_impossible_joins(wiring, paths),
        *_unwired(wiring),
        *_outputs(wiring, paths),
        *_races(wiring, paths),
        *_profile_uses(wiring),
        *_behind_a_wait(wiring, paths),
    ]


def check_body(wiring: Wiring, *, side_by_side: bool, handled: bool) -> list[Problem]:
    """All problems of the graph of a loop's body. What it reads outside of itself is checked as read by the loop.

    `side_by_side`: its turns do not wait for each other. `handled`: when a turn fails, the run need not fail.
    """
    cycle = find_cycle(wiring)
    if cycle:
        return [cycle]
    paths = Paths(wiring)
    return [
        *_unreachable(wiring),
        *_impossible_joins(wiring, paths),
        *(() if handled else _unwired(wiring)),
        *_outputs(wiring, paths),
        *_races(wiring, paths),
        *(_races_of_turns(wiring) if side_by_side else ()),
        *_profile_types(wiring),
    ]


def end_problems(wiring: Wiring, reads: Iterable[tuple[KeyPath, Read]]) -> list[Problem]:
    """The problems of the outputs that are read at the end of a turn, once all nodes of the body have settled."""
    paths = Paths(wiring)
    found = [(at, _output_at_end(wiring, paths, read)) for at, read in reads if _is_output(read)]
    return [problem.below(at) for at, problem in found if problem is not None]


def plan_order(wiring: Wiring) -> list[str]:
    """The ids in topological order; where it leaves a choice, in the order of the file. The graph has no cycle."""
    ids = list(wiring.nodes)
    positions = {id: i for i, id in enumerate(ids)}
    open_edges = {id: len(wiring.into(id)) for id in ids}
    ready = [positions[id] for id, count in open_edges.items() if count == 0]
    heapify(ready)
    order: list[str] = []
    while ready:
        order.append(ids[heappop(ready)])
        for _, _, target, _ in wiring.out_of(order[-1]):
            open_edges[target] -= 1
            if open_edges[target] == 0:
                heappush(ready, positions[target])
    return order


def find_cycle(wiring: Wiring) -> Problem | None:
    """The problem of the first cycle, at the edge that closes it; None when there is no cycle."""
    state: dict[str, int] = {}  # 1: on the stack, 2: visited with all nodes behind it
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
                help = "remove one of these edges; for each item of a list, write `each`"
                return Problem(code="H301", message=message, path=edge[3], help=help)
            elif edge[2] not in state:
                state[edge[2]] = 1
                stack.append((edge[2], iter(wiring.out_of(edge[2]))))
    return None


class Paths:
    """For every node, the nodes that may have run before it, and those that have certainly run, with their ports.

    `before[x]` is the set of all nodes with a path to `x`. `ports[x]` maps the nodes that have run whenever `x` runs to
    the ports by which they can then have left.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.before: dict[str, frozenset[str]] = {}
        self.ports: dict[str, dict[str, frozenset[str]]] = {}
        for id in plan_order(wiring):
            sources: dict[str, frozenset[str]] = {}  # the ports that lead here, by source
            for source, port, _, _ in wiring.into(id):
                sources[source] = sources.get(source, frozenset()) | {port}
            self.before[id] = frozenset().union(*({source} | self.before[source] for source in sources))
            known = [{**self.ports[source], source: ports} for source, ports in sources.items()]
            if wiring.joins[id] == "all":  # every source has led here
                self.ports[id] = _known_of_all(known)
            else:  # one source has led here, or none when the node is a start
                self.ports[id] = _known_of_any([*known, {}] if id in wiring.starts else known)

    def exclusive(self, a: str, b: str) -> bool:
        """Whether the two never run in the same run: some node would have to leave by two ports."""
        ports_a, ports_b = self.ports[a], self.ports[b]
        return any(ports.isdisjoint(ports_b[id]) for id, ports in ports_a.items() if id in ports_b)

    def parallel(self, a: str, b: str) -> bool:
        """Whether both may run in the same run, neither after the other."""
        return a not in self.before[b] and b not in self.before[a] and not self.exclusive(a, b)


def _known_of_all(known: list[dict[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    """The ports of the nodes in any of the maps, each restricted by all maps that have the node."""
    combined: dict[str, frozenset[str]] = {}
    for ports_by_id in known:
        for id, ports in ports_by_id.items():
            combined[id] = combined[id] & ports if id in combined else ports
    return combined


def _known_of_any(known: list[dict[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    """The ports of the nodes that all of the maps have, each united over the maps."""
    first, *others = known or [{}]
    return {
        id: ports.union(*(other[id] for other in others))
        for id, ports in first.items()
        if all(id in other for other in others)
    }


def _unreachable(wiring: Wiring) -> Iterator[Problem]:
    for before, id in pairwise([None, *wiring.nodes]):
        if id is not None and id not in wiring.starts and not wiring.into(id):
            message = f"node `{id}` is never reached: no edge leads to it"
            is_last = before is not None and not wiring.out_of(before)
            remedy = f"write `next: {id}` in `{before}`" if is_last else "name it in some node's `next`"
            help = f"{remedy}, or start there, too: `start: [{', '.join([*wiring.starts, id])}]`"
            yield Problem(code="H302", message=message, path=wiring.places[id], on="key", help=help)


def _impossible_joins(wiring: Wiring, paths: Paths) -> Iterator[Problem]:
    for id, join in wiring.joins.items():
        fork = next((other for other, ports in paths.ports[id].items() if not ports), None)
        if join == "all" and fork is not None:
            message = f"node `{id}` never runs: `join: all` waits for branches that exclude each other after `{fork}`"
            help = "drop `join: all`: then it runs after whichever branch is taken"
            yield Problem(code="H310", message=message, path=(*wiring.places[id], "join"), help=help)


def _unwired(wiring: Wiring) -> Iterator[Problem]:
    for id, node in wiring.nodes.items():
        wired = {port for _, port, _, _ in wiring.out_of(id)}
        if node.may_fail and "failed" not in wired:
            yield Problem(
                code="H303",
                message=f"port `failed` of `{id}` ({type_name(node)}) is not wired: failing ends the run as failed",
                path=wiring.places[id],
                on="key",
                help=f"wire it: `next: {{…, failed: some_node}}` in `{id}`",
                severity="warning",
            )


def _outputs(wiring: Wiring, paths: Paths) -> Iterator[Problem]:
    for id, reads in wiring.reads.items():
        for at, read in reads:
            if _is_output(read):
                problem = _output(wiring, paths, id, read)
                if problem is not None:
                    yield problem.below(at)


def _output(wiring: Wiring, paths: Paths, id: str, read: Read) -> Problem | None:
    other = read.path[1]
    if other not in wiring.nodes or (len(read.path) > 2 and read.path[2] != "out"):
        return _no_output(wiring, id, read)
    if other not in paths.before[id]:
        message = f"`{other}` has not run when `{id}` runs: no path leads from it to here"
        return Problem(code="H304", message=message, offset=read.offset, length=read.length)
    if problem := _unknown_output(wiring, read):
        return problem
    reason = _missing_output_reason(wiring, paths, id, other)
    if read.handled or not reason or _one_has_run(wiring, id, _alternatives(read)):
        return None
    help = f"add a default: `{'.'.join(read.path)} | default(…)`"
    message = f"`{other}` may {reason} when `{id}` runs; then it has no output"
    return Problem(code="H305", message=message, help=help, offset=read.offset, length=read.length)


def _is_output(read: Read) -> bool:
    return read.path[0] == "nodes" and len(read.path) > 1


def _no_output(wiring: Wiring, id: str, read: Read) -> Problem | None:
    """The problem of a read of a node that does not exist here, or of something else than its output."""
    other = read.path[1]
    if other in wiring.around:
        return None
    if other in wiring.nodes:
        help = f"write `nodes.{other}.out.{read.path[2]}`"
        message = f"a node has `out` only, not `{read.path[2]}`"
        return Problem(code="H304", message=message, help=help, offset=read.offset, length=read.length)
    help = did_you_mean(other, [n for n in (*wiring.nodes, *wiring.around) if n != id])
    message = f"there is no node `{other}`"
    if other in wiring.inner:
        loop = wiring.inner[other].loop
        message = f"node `{other}` is in the loop `{loop}`, and has an output in each turn"
        help = f'let the loop collect it, `collect: "{{{{ nodes.{other}.out }}}}"`, and read `nodes.{loop}.out.items`'
    return Problem(code="H117", message=message, help=help, offset=read.offset, length=read.length)


def _output_at_end(wiring: Wiring, paths: Paths, read: Read) -> Problem | None:
    """The problem of a read of an output at the end of a turn, or None."""
    other = read.path[1]
    if other not in wiring.nodes or (len(read.path) > 2 and read.path[2] != "out"):
        return _no_output(wiring, "", read)
    if problem := _unknown_output(wiring, read):
        return problem
    reason = _missing_at_end(wiring, paths, other)
    if read.handled or not reason or len(_alternatives(read)) > 1:
        return None
    help = f"add a default: `{'.'.join(read.path)} | default(…)`"
    message = f"`{other}` may {reason} when a turn ends; then it has no output"
    return Problem(code="H305", message=message, help=help, offset=read.offset, length=read.length)


def _missing_at_end(wiring: Wiring, paths: Paths, id: str) -> str:
    """How a node can be without an output at the end of a turn, in words; empty when it is not known that it can."""
    wired = {port for _, port, _, _ in wiring.out_of(id)}
    if any(not _always_leads(wiring, before, ports) for before, ports in paths.ports[id].items()):
        return "not have run"
    if id in wiring.guarded:
        return "not have run"
    failures = sorted(port for port in wired if port in wiring.ports[id] and wiring.ports[id][port].failure)
    return f"have left by `{failures[0]}`" if failures else ""


def _always_leads(wiring: Wiring, id: str, ports: frozenset[str]) -> bool:
    """Whether a node leaves by one of `ports` whenever its turn does not fail."""
    wired = {port for _, port, _, _ in wiring.out_of(id)}
    possible = {
        name
        for name, port in wiring.ports[id].items()
        if not (port.failure and name not in wired) and not (name == "skipped" and id not in wiring.guarded)
    }
    return possible <= ports


def _alternatives(read: Read) -> frozenset[str]:
    """The nodes whose outputs serve a read: its own node, and those of which it takes the place."""
    return frozenset(path[1] for path in (read.path, *read.instead_of) if path[0] == "nodes" and len(path) > 1)


def _one_has_run(wiring: Wiring, id: str, nodes: frozenset[str]) -> bool:
    """Whether some node of `nodes` has an output whenever `id` runs. A single node has been checked before."""
    if len(nodes) < 2:
        return False
    served: dict[str, bool] = {}
    for node in plan_order(wiring):
        edges = [
            served[source] or (source in nodes and _has_output(wiring, source, port))
            for source, port, _, _ in wiring.into(node)
        ]
        every = any(edges) if wiring.joins[node] == "all" else bool(edges) and all(edges)
        served[node] = every and node not in wiring.starts
    return served[id]


def _has_output(wiring: Wiring, id: str, port: str) -> bool:
    """Whether a node that leaves by `port` has run, and has not failed."""
    known = wiring.ports[id].get(port)
    return known is not None and not known.failure and not (port == "skipped" and id in wiring.guarded)


def _unknown_output(wiring: Wiring, read: Read) -> Problem | None:
    """The problem of a read of an output that the node does not have, or None."""
    other, shape = read.path[1], wiring.outputs[read.path[1]]
    if shape == NO_OUTPUT:
        message = f"`{other}` ({type_name(wiring.nodes[other])}) has no output"
        help = "read the event or the profile, or compute a value in a `let` node"
        return Problem(code=UNKNOWN_OUTPUT, message=message, help=help, offset=read.offset, length=read.length)
    for depth, name in enumerate(read.path[3:], 3):
        if shape.fields is None:
            return None
        if name not in shape.fields:
            near, above = closest(name, shape.fields), show_path(read.path[:depth])
            help = f"did you mean `{show_path((*read.path[:depth], near, *read.path[depth + 1 :]))}`?" if near else ""
            message = f"`{above}` has no `{name}`" if shape.fields else f"`{above}` has no fields"
            help = help or did_you_mean(name, shape.fields)
            return Problem(code=UNKNOWN_OUTPUT, message=message, help=help, offset=read.offset, length=read.length)
        shape = shape.fields[name]
    return None


def _missing_output_reason(wiring: Wiring, paths: Paths, id: str, other: str) -> str:
    """How `other` can be without an output when `id` runs, in words; empty when it always has one."""
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
            message = f"`{a}` and `{b}` may both attach a {type.partition('.')[0]}, in parallel"
            yield Problem(code="H307", message=message, path=wiring.places[b], on="key", help="put one after the other")
        yield from _shared_writes(wiring, a, b)
        yield from _read_while_written(wiring, a, b)
        yield from _read_while_written(wiring, b, a)


def _reached(wiring: Wiring) -> list[str]:
    """The ids of the nodes that paths from a start lead to, in the order of the file."""
    reached, unvisited = set(wiring.starts), list(wiring.starts)
    while unvisited:
        targets = {target for _, _, target, _ in wiring.out_of(unvisited.pop())} - reached
        reached |= targets
        unvisited += targets
    return [id for id in wiring.nodes if id in reached]


def _shared_writes(wiring: Wiring, a: str, b: str) -> Iterator[Problem]:
    commute = wiring.nodes[a].commutes and wiring.nodes[a] is wiring.nodes[b]
    for _, path_a in wiring.writes[a]:
        for at, path_b in wiring.writes[b]:
            if _overlap(path_a, path_b) and not (commute and path_a == path_b):  # parallel increments both count
                path = ".".join(path_b[1:])
                message = f"`{a}` and `{b}` run in parallel and both write `{path}`; the later in plan order decides"
                yield Problem(code="H306", message=message, path=at, on="key", severity="warning")


def _read_while_written(wiring: Wiring, writer: str, reader: str) -> Iterator[Problem]:
    for at, read in wiring.reads[reader]:
        if any(_overlap(written, read.path) for _, written in wiring.writes[writer]):
            path = ".".join(read.path)
            message = f"`{reader}` reads `{path}` while `{writer}` writes it in parallel; it sees the old value"
            yield Problem(
                code="H306", message=message, offset=read.offset, length=read.length, severity="warning"
            ).below(at)


def _behind_a_wait(wiring: Wiring, paths: Paths) -> Iterator[Problem]:
    """A node that needs the sender of the event, which has its answer once the run waits."""
    for id, node, place in wiring.places_of_types:
        waiting = next(
            (other for other in wiring.nodes if other in paths.before[id] and wiring.nodes[other].waits), None
        )
        if waiting is not None and (remedy := NEEDS_SENDER.get(type_name(node))):
            message = (
                f"`{place[-1]}` comes behind `{waiting}`, which waits: the sender of the event has its answer by then"
            )
            yield Problem(code="H312", message=message, path=place, on="key", help=remedy)


def _races_of_turns(wiring: Wiring) -> Iterator[Problem]:
    """Reads of what other turns write, when turns do not wait for each other."""
    for reader in wiring.nodes:
        for at, read in wiring.reads[reader]:
            written = [path for writes in wiring.writes.values() for _, path in writes if _overlap(path, read.path)]
            if written:
                message = f"`{reader}` reads `{'.'.join(read.path)}`, which other turns write: it sees the old value"
                help = "drop `at_once`: then each turn sees what those before it have written"
                problem = Problem(code="H306", message=message, offset=read.offset, length=read.length, help=help)
                yield structs.replace(problem, severity="warning").below(at)


def _overlap(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether one path is the other, or leads to a value within which the other lies."""
    short = min(len(a), len(b))
    return a[:short] == b[:short]


def _no_profile(wiring: Wiring) -> tuple[str, str]:
    """The remedy for a use of the profile in a flow without one, and why the flow has none."""
    if wiring.scheduled:
        help = "emit an event for each with `event.emit`, or run for the members of a segment: `for: segment NAME`"
        return help, "has a schedule, so no profile"
    return "drop `profile: none`, or get the data without a profile", "says `profile: none`"


def _profile_types(wiring: Wiring) -> Iterator[Problem]:
    """The nodes that need a profile, in a flow without one."""
    if wiring.profile != "none":
        return
    help, says = _no_profile(wiring)
    for id, node in wiring.nodes.items():
        if node.uses_profile:
            message = f"`{type_name(node)}` needs a profile, but this flow {says}"
            yield Problem(code="H308", message=message, path=(*wiring.places[id], type_name(node)), on="key", help=help)
        for at, written in wiring.profile_needs[id]:
            message = f"`{written}` needs a profile, but this flow {says}"
            yield Problem(code="H308", message=message, path=at, help=help)


def _profile_uses(wiring: Wiring) -> Iterator[Problem]:
    if wiring.profile != "none":
        return
    yield from _profile_types(wiring)
    help, says = _no_profile(wiring)
    all_reads = [*wiring.trigger_reads, *(read for reads in wiring.reads.values() for read in reads)]
    for at, read in all_reads:
        if read.path[0] == "profile":
            message = f"`{'.'.join(read.path)}` is read, but this flow {says}"
            yield Problem(code="H308", message=message, offset=read.offset, length=read.length, help=help).below(at)

"""The families of numbers that a meter has: their names, labels and units.

A *family* is a number with a name, such as `runs`. It has a cell for each combination of its labels' values, and these
are names of the project alone: flows, nodes and targets, at most so many of each; what is beyond is counted as `other`.
So no sender can make the numbers more, and each cell has a fixed place, which follows from the names.

A histogram has a cell for each of `BUCKETS`, one for what is slower, and one for the sum in microseconds.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from engine.project.project import Project

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds, at most
OTHER: Final = "other"
MAX_FLOWS: Final = 200
MAX_NODES: Final = 1_000
MAX_TARGETS: Final = 100
OUTCOMES: Final = ("finished", "failed", "paused", "handed-over", OTHER)
LOOKUP_OUTCOMES: Final = ("answered", "timeout", "breaker", "no-answer")
ATTEMPT_OUTCOMES: Final = ("sent", "again", "dead", "dropped")
COMMIT_FAILURES: Final = ("conflict", "unavailable", "overloaded", "too-large", OTHER)
WORKS: Final = (
    "counting what waits",
    "draining the spool",
    "firing tasks and scheduled flows",
    "forgetting marks",
    "forgetting profiles",
    "keeping the lease of timers",
    "looking at all profiles",
    "looking for switches of tracing",
    "retention",
    "setting apart",
    "sweeping",
    "tending answers of look-ups",
    "waking profiles that are due",
    OTHER,
)

Labels = tuple[str, ...]


class Names(Struct, frozen=True):
    """The names of a project that are values of labels; all processes of a server have the same."""

    flows: tuple[str, ...] = ()
    nodes: tuple[tuple[str, str], ...] = ()  # each with its flow
    targets: tuple[str, ...] = ()

    @classmethod
    def of(cls, project: Project) -> "Names":
        """Return the names of a project, the first ones of each kind."""
        flows = sorted(flow.name for flow in project.flows)[:MAX_FLOWS]
        nodes = sorted((flow.name, node.id) for flow in project.flows if flow.name in flows for node in flow.nodes)
        return cls(tuple(flows), tuple(nodes[:MAX_NODES]), tuple(sorted(project.targets)[:MAX_TARGETS]))


class Family(Struct, frozen=True, kw_only=True):
    """A number: its name without the prefix, its kind, a sentence about it, and its labels with their values.

    `scale` turns a cell into the unit of the name. `join` says how the cells of several processes become one.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()
    values: Callable[[Names], Iterable[Labels]] = lambda _names: [()]
    scale: float = 1
    join: Literal["sum", "max"] = "sum"

    @property
    def cells(self) -> int:
        """How many cells it has for each combination of its labels' values."""
        return len(BUCKETS) + 2 if self.kind == "histogram" else 1


def _each(*values: str) -> Callable[[Names], list[Labels]]:
    return lambda _names: [(value,) for value in values]


def _targets(names: Names) -> list[Labels]:
    return [(target,) for target in (*names.targets, OTHER)]


def _targets_with(*outcomes: str) -> Callable[[Names], list[Labels]]:
    return lambda names: [(*target, outcome) for target in _targets(names) for outcome in outcomes]


REQUESTS: Final = Family(
    name="request_duration_seconds",
    kind="histogram",
    help="Time from a complete request with events to the end of its answer, waiting at the gate included",
    scale=1e-6,
)
ANSWERS: Final = Family(
    name="answers",
    kind="counter",
    help="Answers to requests with events, by the class of their HTTP status; requests that were shed are not in it",
    labels=("status",),
    values=_each("2xx", "3xx", "4xx", "5xx"),
)
SHED: Final = Family(name="requests_shed", kind="counter", help="Requests that were answered 503 unread, under load")
WAITING: Final = Family(name="requests_waiting", kind="gauge", help="Complete requests that wait at the gate")
RUNNING: Final = Family(name="requests_running", kind="gauge", help="Requests with events that are being processed")
COMMITS: Final = Family(
    name="commit_duration_seconds",
    kind="histogram",
    help="Time that the store took to commit one unit, or several of one profile together",
    scale=1e-6,
)
COMMITS_FAILED: Final = Family(
    name="commits_failed",
    kind="counter",
    help="Commits that the store did not make; after a conflict the units run again",
    labels=("reason",),
    values=_each(*COMMIT_FAILURES),
)
RUNS: Final = Family(
    name="runs",
    kind="counter",
    help="Runs of flows whose unit is stored, by how they ended",
    labels=("flow", "outcome"),
    values=lambda names: [(flow, outcome) for flow in (*names.flows, OTHER) for outcome in OUTCOMES],
)
NODE_FAILURES: Final = Family(
    name="node_failures",
    kind="counter",
    help="Runs with a node that left by `failed`, by the first such node, also where a wire leads on from it",
    labels=("flow", "node"),
    values=lambda names: [*names.nodes, (OTHER, OTHER)],
)
LOOKUPS: Final = Family(
    name="lookup_duration_seconds",
    kind="histogram",
    help="Time of look-ups at a target, waiting for a turn included; answers from memory are not in it",
    labels=("target",),
    values=_targets,
    scale=1e-6,
)
LOOKUP_ENDS: Final = Family(
    name="lookups",
    kind="counter",
    help="Look-ups at a target by how they ended, those that an open breaker kept back included",
    labels=("target", "outcome"),
    values=_targets_with(*LOOKUP_OUTCOMES),
)
LOOKUPS_SHARED: Final = Family(
    name="lookups_from_memory", kind="counter", help="Look-ups that an answer in memory answered"
)
ANSWERS_KEPT: Final = Family(name="lookup_answers_kept", kind="gauge", help="Answers of targets in memory")
ATTEMPTS: Final = Family(
    name="delivery_attempts",
    kind="counter",
    help="Attempts at deliveries to a target, by how they ended",
    labels=("target", "outcome"),
    values=_targets_with(*ATTEMPT_OUTCOMES),
)
BREAKERS: Final = Family(
    name="breaker_open",
    kind="gauge",
    help="1 while nothing is sent to a target, since it fails",
    labels=("target",),
    values=_targets,
    join="max",
)
CACHED: Final = Family(
    name="cache_entries",
    kind="gauge",
    help="Documents in the memory of the server's processes",
    labels=("cache",),
    values=_each("profiles", "sessions"),
)
CACHED_BYTES: Final = Family(
    name="cache_bytes",
    kind="gauge",
    help="Memory that these documents take, about",
    labels=("cache",),
    values=_each("profiles", "sessions"),
)
LOADS: Final = Family(
    name="unit_loads",
    kind="counter",
    help="Times that a unit was loaded, by where its documents were found",
    labels=("found",),
    values=_each("memory", "store"),
)
SPOOLED: Final = Family(name="spool_entries", kind="gauge", help="Payloads that wait for the store in the spools")
WORKED: Final = Family(
    name="background_last_success_timestamp_seconds",
    kind="gauge",
    help="When a background task last ended well; 0 if it has not yet",
    labels=("task",),
    values=_each(*WORKS),
    scale=1e-3,
    join="max",
)

FAMILIES: Final = (
    *(REQUESTS, ANSWERS, SHED, WAITING, RUNNING, COMMITS, COMMITS_FAILED, RUNS, NODE_FAILURES, LOOKUPS, LOOKUP_ENDS),
    *(LOOKUPS_SHARED, ANSWERS_KEPT, ATTEMPTS, BREAKERS, CACHED, CACHED_BYTES, LOADS, SPOOLED, WORKED),
)


def places_of(names: Names) -> Mapping[tuple[str, Labels], int]:
    """Return the place of each number's first cell in a slot, by its family and its labels' values."""
    places: dict[tuple[str, Labels], int] = {}
    place = 0
    for family in FAMILIES:
        for labels in family.values(names):
            places[family.name, labels] = place
            place += family.cells
    return places


def slot_cells(names: Names) -> int:
    """Return how many cells a slot has."""
    return sum(family.cells * len(list(family.values(names))) for family in FAMILIES)

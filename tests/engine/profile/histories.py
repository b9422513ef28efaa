"""Histories of operations for property tests: who did what, how much later than what was before."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from engine.profile.document import LIST_CAP, Members
from engine.profile.operations import Add, Append, Increment, Operation, Remove, Set, Unset
from tests.engine.profile.profiles import People
from tests.engine.profile.reference import Sheet, Unfit, World

A, X, Y, Z, AN = ("t", "a"), ("t", "a", "x"), ("t", "a", "y"), ("t", "a", "y", "z"), ("t", "a", "n")
N, S, L, ODD = ("t", "n"), ("t", "s"), ("t", "l"), ("t", "a", '~m"p".e')

scalars = st.sampled_from([1, 2, 0.5, "u", "v", True, None])
values = st.one_of(
    scalars,
    st.sampled_from(
        [
            {"x": 1},
            {"x": "u", "y": {"z": 2}},
            {"x": None, "n": 5},
            {"y": {}},
            {},
            [],
            [1, {"q": [True]}],
            ["w"],
            list(range(LIST_CAP - 1)),
            Members(("p",)),
            {"x": Members(("p", "q")), "y": [3]},
        ]
    ),
)
paths = st.sampled_from([("t",), A, X, Y, Z, AN, N, S, L, ODD])
amounts = st.sampled_from([-2, 1, 3, 0.5])
marked = st.sampled_from(["p", "q", True, 1, None])
operations = st.one_of(
    st.builds(Set, paths, values),
    st.builds(Unset, paths),
    st.builds(Increment, paths, amounts),
    st.builds(Add, paths, marked),
    st.builds(Remove, paths, marked),
    st.builds(Append, paths, st.sampled_from([0, "e", None, {"f": []}])),
)
# Paths that keep their kind, for properties about unmerging: what fits a merged profile fits each side of it.
steady = st.one_of(
    st.builds(Set, st.sampled_from([X, Y]), st.sampled_from(["u", "v", 1])),
    st.builds(Set, st.just(A), st.sampled_from([{"x": "u"}, {"y": 3, "n": 2}])),
    st.builds(Set, st.sampled_from([N, AN]), st.integers(0, 9)),
    st.builds(Increment, st.sampled_from([N, AN]), st.integers(-2, 3)),
    st.builds(Unset, st.sampled_from([A, X, AN, N, S, L])),
    st.builds(Add, st.just(S), st.sampled_from("pq")),
    st.builds(Remove, st.just(S), st.sampled_from("pq")),
    st.builds(Append, st.just(L), st.integers(0, 9)),
)

Entry = tuple[str, int, list[Operation]]
Log = list[Entry]


def logs(ids: str, what: Any = operations, most: int = 10, unit: int = 2) -> st.SearchStrategy[Log]:
    """Units of up to `unit` operations, each under one of the ids."""
    return st.lists(
        st.tuples(st.sampled_from(ids), st.integers(0, 3), st.lists(what, min_size=1, max_size=unit)), max_size=most
    )


def joins(ids: str, most: int = 6) -> st.SearchStrategy[list[tuple[str, str, str]]]:
    """Steps between two of the ids, for one of two causes."""
    one = st.tuples(st.sampled_from(ids), st.sampled_from(ids), st.sampled_from("kj")).filter(lambda s: s[0] != s[1])
    return st.lists(one, min_size=1, max_size=most)


def examples(count: int) -> Callable[[Any], Any]:
    """How often a property is tried; the same cases each time, so that a run says the same wherever it runs."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


def world(ids: str, fields: Any = None) -> World:
    """The reference's world, created as `People` are."""
    return World({id: Sheet(id, created=now, last=now) for now, id in enumerate(ids)}, dict(fields or {}))


def play(world: World, people: People | None, log: Log, clock: int = 10) -> Log:
    """Do a log in the reference's world and among people; a unit that does not fit is left out. What was done."""
    done = []
    for id, later, ops in log:
        clock += later
        try:
            world.commit(id, ops, clock)
        except Unfit:
            continue
        if people is not None:
            people.commit(id, ops, clock)
        done.append((id, later, ops))
    return done

"""Random histories of operations: under which id each unit acts, how long after the unit before, and its operations."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from engine.profile.document import LIST_CAP, Members
from engine.profile.operations import Add, Append, Increment, Operation, Remove, Set, Unset
from tests.engine.profile.profiles import Profiles
from tests.engine.profile.reference import ReferencePart, ReferenceProfiles, Unfit
from tests.fast import cases

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
# Paths that keep their kind, for tests of unmerging: an operation that fits the merged profile fits each of its sides.
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
    """Return a strategy for up to `most` units of up to `unit` operations, each under one of the ids."""
    return st.lists(
        st.tuples(st.sampled_from(ids), st.integers(0, 3), st.lists(what, min_size=1, max_size=unit)), max_size=most
    )


def joins(ids: str, most: int = 6) -> st.SearchStrategy[list[tuple[str, str, str]]]:
    """Return a strategy for pairs of ids that bring one of two keys."""
    join = st.tuples(st.sampled_from(ids), st.sampled_from(ids), st.sampled_from("kj")).filter(lambda s: s[0] != s[1])
    return st.lists(join, min_size=1, max_size=most)


def examples(count: int) -> Callable[[Any], Any]:
    """Return the settings for a test of `count` examples; they are the same in every run and on every machine."""
    return settings(
        max_examples=cases(count),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


def reference_of(ids: str, fields: Any = None) -> ReferenceProfiles:
    """Return the reference model of profiles that are created as `Profiles` creates them."""
    return ReferenceProfiles(
        {id: ReferencePart(id, created=now, last=now) for now, id in enumerate(ids)}, dict(fields or {})
    )


def play(reference: ReferenceProfiles, profiles: Profiles | None, log: Log, clock: int = 10) -> Log:
    """Apply a log to the reference and to the profiles, without units that do not fit. Returns the applied units."""
    done = []
    for id, later, ops in log:
        clock += later
        try:
            reference.commit(id, ops, clock)
        except Unfit:
            continue
        if profiles is not None:
            profiles.commit(id, ops, clock)
        done.append((id, later, ops))
    return done

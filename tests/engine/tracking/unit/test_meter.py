"""The meter: each process counts in its slot, and any of them answers for all."""

from typing import Any

import pytest

from engine.tracking.unit.families import (
    BREAKERS,
    BUCKETS,
    COMMITS,
    FAMILIES,
    LOOKUP_ENDS,
    LOOKUPS,
    MAX_FLOWS,
    NODE_FAILURES,
    RUNS,
    WAITING,
    Names,
    slot_cells,
)
from engine.tracking.unit.meter import CELL_BYTES, Meter
from engine.tracking.unit.run_counter import RunKey
from tests.projects import project

NAMES = Names(("greet", "order"), (("order", "pay"),), ("crm",))
FLOW = """
flow: {name}
trigger: {{event: counted}}
nodes:
  add: {{profile.increment: {{traits.count: 1}}}}
"""


def ran(flow: str, outcome: str, node: str) -> RunKey:
    return RunKey(flow, "v1", outcome, (), node)


def read(meter: Meter) -> dict[tuple[str, ...], tuple[int, ...]]:
    """The numbers that are not zero, by the name of the family and the values of its labels."""
    return {(one.family.name, *one.labels): one.cells for one in meter.readings() if any(one.cells)}


def shared(processes: int) -> list[Meter]:
    memory = memoryview(bytearray(CELL_BYTES * slot_cells(NAMES) * processes))
    return [Meter(NAMES, memory, slot) for slot in range(processes)]


def test_every_process_reads_the_sum_of_all() -> None:
    one, other = shared(2)
    one.count_runs([ran("order", "finished", ""), ran("order", "failed", "pay")])
    other.count_runs([ran("order", "finished", "")])
    one.flush()
    other.flush()
    assert read(one) == read(other) == {
        (RUNS.name, "order", "finished"): (2,),
        (RUNS.name, "order", "failed"): (1,),
        (NODE_FAILURES.name, "order", "pay"): (1,),
    }  # fmt: skip


def test_a_process_that_takes_the_place_of_another_counts_on() -> None:
    memory = memoryview(bytearray(CELL_BYTES * slot_cells(NAMES)))
    Meter(NAMES, memory).cell(LOOKUP_ENDS, "crm", "timeout").add(2)
    second = Meter(NAMES, memory)
    second.cell(LOOKUP_ENDS, "crm", "timeout").add()
    assert read(second) == {(LOOKUP_ENDS.name, "crm", "timeout"): (3,)}


def test_gauges_of_processes_are_added_and_states_are_joined() -> None:
    one, other = shared(2)
    for meter in (one, other):
        meter.cell(WAITING).put(3)
        meter.cell(BREAKERS, "crm").put(1)
    assert read(one) == {(WAITING.name,): (6,), (BREAKERS.name, "crm"): (1,)}


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0, 0), (0.001, 0), (0.0011, 1), (0.5, 8), (10.0, 12), (10.1, 13), (1e6, 13)]
)
def test_a_duration_is_counted_in_the_first_bucket_that_is_not_shorter(seconds: float, bucket: int) -> None:
    meter = Meter(NAMES)
    meter.histogram(COMMITS).observe(seconds)
    expected = [0] * (len(BUCKETS) + 1)
    expected[bucket] = 1
    (cells,) = [one.cells for one in meter.readings() if one.family is COMMITS]
    assert cells == (*expected, int(seconds * 1_000_000))


@pytest.mark.parametrize(
    ("run", "counted"),
    [
        (ran("unknown", "finished", ""), {(RUNS.name, "other", "finished")}),
        (ran("order", "cancelled", ""), {(RUNS.name, "order", "other")}),
        (ran("unknown", "failed", "pay"), {(RUNS.name, "other", "failed"), (NODE_FAILURES.name, "other", "other")}),
        (ran("order", "failed", "new"), {(RUNS.name, "order", "failed"), (NODE_FAILURES.name, "other", "other")}),
    ],
    ids=str,
)
def test_a_name_that_is_not_the_projects_is_counted_as_other(run: Any, counted: set[tuple[str, ...]]) -> None:
    meter = Meter(NAMES)
    meter.count_runs([run])
    assert set(read(meter)) == counted


def test_a_target_that_is_not_the_projects_is_counted_as_other_with_its_outcome() -> None:
    meter = Meter(NAMES)
    meter.cell(LOOKUP_ENDS, "mail", "breaker").add()
    meter.histogram(LOOKUPS, "mail").observe(0.2)
    assert set(read(meter)) == {(LOOKUP_ENDS.name, "other", "breaker"), (LOOKUPS.name, "other")}


def test_no_project_has_more_numbers_than_the_limits() -> None:
    many = Names.of(project(*[FLOW.format(name=f"f{number:03}") for number in range(MAX_FLOWS + 20)]))
    assert len(many.flows) == MAX_FLOWS
    assert all(flow in many.flows for flow, _ in many.nodes)
    meter = Meter(many)
    meter.count_runs([ran("f000", "finished", ""), ran(f"f{MAX_FLOWS + 5}", "finished", "")])
    assert set(read(meter)) == {(RUNS.name, "f000", "finished"), (RUNS.name, "other", "finished")}


def test_names_of_families_are_distinct_and_name_their_unit() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    for family in FAMILIES:
        assert (family.scale != 1) == family.name.endswith("seconds"), family.name
        assert not family.name.endswith("_total"), "the suffix is added"

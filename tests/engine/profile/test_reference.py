"""Whatever is done, in whatever order and merged however: the product and the reference read the same."""

import pytest
from hypothesis import given

from engine.profile.operations import Refused
from tests.engine.profile.histories import examples, joins, logs, operations, play, world
from tests.engine.profile.profiles import People, exact
from tests.engine.profile.reference import Unfit

IDS = "ABC"


@examples(200)
@given(logs("A", most=14, unit=3))
def test_one_part_reads_as_the_reference(log):
    reference, people = world("A"), People("A")
    play(reference, people, log)
    assert exact(people.read("A")) == exact(reference.read("A"))


@examples(250)
@given(logs(IDS), joins(IDS, 3), logs(IDS))
def test_merged_pasts_read_as_the_reference(past, steps, later):
    reference, people = world(IDS), People(IDS)
    play(reference, people, past)
    for left, right, cause in steps:
        reference.merge(left, right, cause)
        people.merge(left, right, cause)
    for id in IDS:
        assert exact(people.read(id)) == exact(reference.read(id))
    play(reference, people, later, 100)
    for id in IDS:
        assert exact(people.read(id)) == exact(reference.read(id))


@examples(150)
@given(logs(IDS, most=8), joins(IDS, 2), logs(IDS, most=6), joins(IDS, 1), logs(IDS, most=6))
def test_unmerged_profiles_read_as_the_reference(past, steps, between, again, later):
    reference, people = world(IDS), People(IDS)
    play(reference, people, past)
    for at, (left, right, cause) in enumerate(steps):
        reference.merge(left, right, cause, claim=at % 2 == 0)
        people.merge(left, right, cause, claim=at % 2 == 0)
    play(reference, people, between, 100)
    reference.unmerge(*steps[0])
    people.unmerge(*steps[0])
    play(reference, people, later, 200)
    for left, right, cause in again:
        reference.merge(left, right, cause)
        people.merge(left, right, cause)
    play(reference, people, later, 300)
    for id in IDS:
        assert exact(people.read(id)) == exact(reference.read(id))
        assert people.of(id).parts[id].mixed == reference.sheets[id].mixed
        assert people.of(id).id in reference.ids(id)


@examples(150)
@given(logs(IDS, most=4), joins(IDS, 2), logs(IDS, operations, most=8))
def test_what_the_reference_does_not_take_is_refused(past, steps, log):
    reference, people = world(IDS), People(IDS)
    play(reference, people, past)
    for left, right, cause in steps:
        reference.merge(left, right, cause)
        people.merge(left, right, cause)
    for id, _, ops in log:
        try:
            reference.commit(id, ops, 0)
        except Unfit:
            before = people.of(id)
            with pytest.raises(Refused):
                people.commit(id, ops, 0)
            assert people.of(id) is before
        else:
            people.commit(id, ops, 0)

"""After any operations, merges and unmerges the product and the reference model read the same."""

import pytest
from hypothesis import given

from engine.profile.operations import Refused
from tests.engine.profile.histories import examples, joins, logs, operations, play, reference_of
from tests.engine.profile.profiles import Profiles, exact
from tests.engine.profile.reference import Unfit

IDS = "ABC"


@examples(200)
@given(logs("A", most=14, unit=3))
def test_one_part_reads_as_in_the_reference_model(log):
    reference, profiles = reference_of("A"), Profiles("A")
    play(reference, profiles, log)
    assert exact(profiles.read("A")) == exact(reference.read("A"))


@examples(250)
@given(logs(IDS), joins(IDS, 3), logs(IDS))
def test_merged_profiles_read_as_in_the_reference_model(past, links, later):
    reference, profiles = reference_of(IDS), Profiles(IDS)
    play(reference, profiles, past)
    for left, right, key in links:
        reference.merge(left, right, key)
        profiles.merge(left, right, key)
    for id in IDS:
        assert exact(profiles.read(id)) == exact(reference.read(id))
    play(reference, profiles, later, 100)
    for id in IDS:
        assert exact(profiles.read(id)) == exact(reference.read(id))


@examples(150)
@given(logs(IDS, most=8), joins(IDS, 2), logs(IDS, most=6), joins(IDS, 1), logs(IDS, most=6))
def test_unmerged_profiles_read_as_in_the_reference_model(past, links, between, again, later):
    reference, profiles = reference_of(IDS), Profiles(IDS)
    play(reference, profiles, past)
    for at, (left, right, key) in enumerate(links):
        reference.merge(left, right, key, claim=at % 2 == 0)
        profiles.merge(left, right, key, claim=at % 2 == 0)
    play(reference, profiles, between, 100)
    left, _, key = links[0]
    reference.unmerge(left, key, "claim")
    profiles.unmerge(left, key, "claim")
    play(reference, profiles, later, 200)
    for left, right, key in again:
        reference.merge(left, right, key)
        profiles.merge(left, right, key)
    play(reference, profiles, later, 300)
    for id in IDS:
        assert exact(profiles.read(id)) == exact(reference.read(id))
        assert set(profiles.of(id).parts) == reference.ids(id)
        assert profiles.of(id).id == reference.canonical(id)


@examples(150)
@given(logs(IDS, most=4), joins(IDS, 2), logs(IDS, operations, most=8))
def test_an_operation_that_the_reference_model_refuses_is_refused(past, links, log):
    reference, profiles = reference_of(IDS), Profiles(IDS)
    play(reference, profiles, past)
    for left, right, key in links:
        reference.merge(left, right, key)
        profiles.merge(left, right, key)
    for id, _, ops in log:
        try:
            reference.commit(id, ops, 0)
        except Unfit:
            before = profiles.of(id)
            with pytest.raises(Refused):
                profiles.commit(id, ops, 0)
            assert profiles.of(id) is before
        else:
            profiles.commit(id, ops, 0)

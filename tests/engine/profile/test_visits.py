from hypothesis import given
from hypothesis import strategies as st

from engine.profile.document import new_profile
from engine.profile.fold import fold
from engine.profile.merge import unmerge
from engine.profile.profile_view import profile_view
from engine.profile.visits import record_visit, visits
from tests.engine.profile.histories import examples, joins
from tests.engine.profile.profiles import People

IDS = "ABC"


def test_a_profile_that_was_never_seen_has_no_last_time():
    assert visits(new_profile("p", 5)) == {"first_seen": 5, "visits": 0}


def test_a_visit_knows_when_the_one_before_ended():
    profile = record_visit(new_profile("p", 5), "p", 5, new=True)
    assert visits(profile) == {"first_seen": 5, "visits": 1, "last_seen": 5}
    profile = record_visit(record_visit(profile, "p", 8, new=False), "p", 100, new=True)
    assert visits(profile) == {"first_seen": 5, "visits": 2, "last_seen": 100, "previous_seen": 8}
    assert visits(record_visit(profile, "p", 110, new=False))["previous_seen"] == 8


def test_what_comes_late_does_not_turn_time_back():
    profile = record_visit(record_visit(new_profile("p", 5), "p", 50, new=True), "p", 20, new=False)
    assert visits(profile)["last_seen"] == 50


def test_an_id_without_a_part_is_nobody_seen():
    profile = new_profile("p", 5)
    assert record_visit(profile, "q", 9, new=True) is profile


def test_flows_see_it_in_the_metadata():
    profile = record_visit(new_profile("p", 5), "p", 7, new=True)
    told = profile_view(profile, fold(profile))["metadata"]
    assert told == {"created": 5, "updated": 5, "version": 0, "first_seen": 5, "last_seen": 7, "visits": 1}


times = st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 9), st.booleans()), max_size=10)


@examples(100)
@given(times, joins(IDS, 3), times)
def test_visits_of_merged_profiles_add_up_in_any_order(past, steps, later):
    orders = []
    for one in (steps, steps[::-1]):
        people, clock, done = People(IDS), 10, []
        for log, merges in ((past, one), (later, [])):
            for id, after, new in log:
                clock += after
                profile = people.of(id)
                people.documents[profile.id] = record_visit(profile, id, clock, new)
                done.append((id, clock, new))
            for left, right, cause in merges:
                people.merge(left, right, cause)
        for id in IDS:
            ids, told = people.of(id).ids, visits(people.of(id))
            mine = [(at, new) for who, at, new in done if who in ids]
            assert told["visits"] == sum(new for _, new in mine)
            assert told.get("last_seen") == max((at for at, _ in mine), default=None)
            assert told["first_seen"] == min(IDS.index(each) for each in ids)
        orders.append([visits(people.of(id)) for id in IDS])
    assert orders[0] == orders[1]


def test_each_takes_its_own_visits_along_when_they_are_set_apart():
    people = People("AB")
    for id, at in (("A", 20), ("B", 30), ("B", 40)):
        people.documents[id] = record_visit(people.documents[id], id, at, new=True)
    step = people.merge("A", "B", "k")
    one, other = unmerge(people.of("A"), step)
    assert (visits(one)["visits"], visits(one)["last_seen"]) == (1, 20)
    assert (visits(other)["visits"], visits(other)["last_seen"]) == (2, 40)

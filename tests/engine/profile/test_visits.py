from hypothesis import given
from hypothesis import strategies as st

from engine.profile.document import new_profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.profile.visits import begun_by, record_visit, visits
from tests.engine.profile.histories import examples, joins
from tests.engine.profile.profiles import Profiles

IDS = "ABC"


def test_a_profile_without_events_has_no_last_seen():
    assert visits(new_profile("p", 5)) == {"first_seen": 5, "visits": 0}


def test_a_new_visit_records_when_the_previous_one_ended():
    profile = record_visit(new_profile("p", 5), "p", 5, new=True)
    assert visits(profile) == {"first_seen": 5, "visits": 1, "last_seen": 5}
    profile = record_visit(record_visit(profile, "p", 8, new=False), "p", 100, new=True)
    assert visits(profile) == {"first_seen": 5, "visits": 2, "last_seen": 100, "previous_seen": 8}
    assert visits(record_visit(profile, "p", 110, new=False))["previous_seen"] == 8


def test_a_late_event_does_not_move_last_seen_back():
    profile = record_visit(record_visit(new_profile("p", 5), "p", 50, new=True), "p", 20, new=False)
    assert visits(profile)["last_seen"] == 50


def test_an_event_under_an_id_without_a_part_records_no_visit():
    profile = new_profile("p", 5)
    assert record_visit(profile, "q", 9, new=True) is profile


def test_a_profile_is_first_seen_when_the_first_of_its_events_occurred_but_not_after_it_was_made():
    profile = new_profile("p", 5)
    assert begun_by(profile, "p", 7) is profile
    assert begun_by(profile, "q", 2) is profile
    profile = begun_by(begun_by(profile, "p", -3), "p", 2)
    assert visits(profile) == {"first_seen": -3, "visits": 0}
    assert profile.created == 5


def test_a_merged_profile_is_first_seen_when_the_first_event_of_any_of_its_ids_occurred():
    profiles = Profiles("AB")
    profiles.documents["B"] = begun_by(profiles.documents["B"], "B", -8)
    profiles.merge("A", "B", "k")
    assert visits(profiles.of("A"))["first_seen"] == -8
    profiles.unmerge("A", "k")
    assert [visits(profiles.of(id))["first_seen"] for id in "AB"] == [0, -8]


def test_a_view_has_the_visits_in_its_metadata():
    profile = record_visit(new_profile("p", 5), "p", 7, new=True)
    metadata = profile_view(profile, fold(profile))["metadata"]
    assert metadata == {"created": 5, "updated": 5, "version": 0, "first_seen": 5, "last_seen": 7, "visits": 1}


times = st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 9), st.booleans()), max_size=10)


@examples(100)
@given(times, joins(IDS, 3), times)
def test_visits_of_merged_profiles_add_up_in_any_order(past, links, later):
    orders = []
    for ordered in (links, links[::-1]):
        profiles, clock, done = Profiles(IDS), 10, []
        for log, merges in ((past, ordered), (later, [])):
            for id, after, new in log:
                clock += after
                profile = profiles.of(id)
                profiles.documents[profile.id] = record_visit(profile, id, clock, new)
                done.append((id, clock, new))
            for left, right, cause in merges:
                profiles.merge(left, right, cause)
        for id in IDS:
            ids, shown = profiles.of(id).ids, visits(profiles.of(id))
            events = [(at, new) for who, at, new in done if who in ids]
            assert shown["visits"] == sum(new for _, new in events)
            assert shown.get("last_seen") == max((at for at, _ in events), default=None)
            assert shown["first_seen"] == min(IDS.index(each) for each in ids)
        orders.append([visits(profiles.of(id)) for id in IDS])
    assert orders[0] == orders[1]


def test_split_profiles_keep_their_own_visits():
    profiles = Profiles("AB")
    for id, at in (("A", 20), ("B", 30), ("B", 40)):
        profiles.documents[id] = record_visit(profiles.documents[id], id, at, new=True)
    profiles.merge("A", "B", "k")
    profiles.unmerge("A", "k")
    one, other = profiles.of("A"), profiles.of("B")
    assert (visits(one)["visits"], visits(one)["last_seen"]) == (1, 20)
    assert (visits(other)["visits"], visits(other)["last_seen"]) == (2, 40)

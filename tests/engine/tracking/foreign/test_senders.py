"""The senders of a foreign request: which events are taken, under which ids, and in which group."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.key import KeyRules
from engine.project.source import Source
from engine.tracking.foreign.groups import IntakeGroup
from engine.tracking.foreign.senders import grouped_intakes
from engine.tracking.foreign.translation import ForeignEvent, Translation
from engine.tracking.intake.ids import MAX_ID
from engine.tracking.intake.payload import MAX_BODY, MAX_EVENTS, RejectedEvent
from tests.projects import USERS

DEEP: list[Any] = []
for _ in range(25):
    DEEP = [DEEP]
SHOP = Source(source="shop", accepts=("segment", "rakam"))
RULES = USERS.keys


def event(number: int = 0, **more: Any) -> ForeignEvent:
    given: dict[str, Any] = {"at": f"/{number}", "raw": b'{"n": %d}' % number, "type": f"e{number}", **more}
    return ForeignEvent(**given)


def groups(
    *events: ForeignEvent | RejectedEvent, protocol: str = "segment", rules: KeyRules = RULES, source: Source = SHOP
) -> list[IntakeGroup]:
    return grouped_intakes(Translation(events=events), source, protocol, rules)


def shown(found: list[IntakeGroup]) -> list[list[tuple[str | None, str | None, list[str]]]]:
    """Visitor, user and the events' types of each intake, by group."""
    return [
        [(one.intake.visitor, one.intake.user, [incoming.type for incoming in one.intake.events]) for one in group]
        for group in found
    ]


def test_events_of_two_visitors_are_two_groups() -> None:
    found = groups(event(0, visitor="v-1"), event(1, visitor="v-2"), event(2, visitor="v-1"))
    assert shown(found) == [[("v-1", None, ["e0", "e2"])], [("v-2", None, ["e1"])]]


def test_a_login_is_a_second_intake_of_the_same_group() -> None:
    found = groups(
        event(0, visitor="v-1"), event(1, visitor="v-1", user="u-1"), event(2, visitor="v-1", user="u-1"), event(3)
    )
    assert shown(found) == [[("v-1", None, ["e0"]), ("v-1", "u-1", ["e1", "e2"])], [(None, None, ["e3"])]]


def test_groups_that_meet_are_joined_in_the_order_of_their_events() -> None:
    found = groups(
        event(0, visitor="v-1"), event(1, user="u-1"), event(2, visitor="v-2"), event(3, visitor="v-1", user="u-1")
    )
    assert shown(found) == [
        [("v-1", None, ["e0"]), (None, "u-1", ["e1"]), ("v-1", "u-1", ["e3"])],
        [("v-2", None, ["e2"])],
    ]


def test_a_group_that_is_taken_into_a_larger_one_keeps_its_place() -> None:
    found = groups(
        event(0, visitor="v-1"), event(1, visitor="v-2", user="u-1"), event(2, visitor="v-1", user="u-1"), event(3)
    )
    assert [[incoming.type for one in group for incoming in one.intake.events] for group in found] == [
        ["e0", "e1", "e2"],
        ["e3"],
    ]


def test_an_alias_joins_the_groups_of_both_users() -> None:
    found = groups(event(0, user="old"), event(1, user="new"), event(2, user="new", previous="old"))
    assert [one.intake.previous for group in found for one in group] == [None, None, "old"]
    assert len(found) == 1


@pytest.mark.parametrize("users", [{"previous": "old"}, {"user": "u-1", "previous": "u-1"}], ids=["alone", "equal"])
def test_an_earlier_id_counts_only_beside_another_one(users: dict[str, str]) -> None:
    ((one,),) = groups(event(0, visitor="v-1", **users))
    assert one.intake.previous is None


def test_spaces_around_a_user_id_do_not_count() -> None:
    ((one,),) = groups(event(0, user=f" {'u' * MAX_ID} "))
    assert (one.intake.user, len(one.intake.events)) == ("u" * MAX_ID, 1)


def test_an_event_that_names_no_person_is_profile_less_and_alone() -> None:
    first, second = groups(event(0), event(1))
    assert [(one.intake.profile_less, one.intake.sessionless) for one in (*first, *second)] == [(True, True)] * 2


def test_a_session_alone_says_whose_an_event_is() -> None:
    ((one,),) = groups(event(0, session="s-1"), event(1, session="s-1"))
    assert (one.intake.session, one.intake.profile_less, len(one.intake.events)) == ("s-1", False, 2)


@pytest.mark.parametrize("session", ["1764504000123", "1764504000"])
def test_a_session_that_is_a_number_says_nothing_alone_since_it_can_be_guessed(session: str) -> None:
    (first,), (second,) = groups(event(0, session=session), event(1, session=session))
    assert [(one.intake.session, one.intake.profile_less) for one in (first, second)] == [(None, True)] * 2


def test_a_session_that_is_a_number_is_one_of_its_visitor_alone() -> None:
    sessions = [
        one.intake.session or ""
        for group in groups(
            event(0, visitor="v-1", session="1764504000"),
            event(1, visitor="v-2", session="1764504000"),
            event(2, visitor="v-1", user="u-1", session="1764504000"),
        )
        for one in group
    ]
    assert all(session.startswith("1764504000-") for session in sessions)
    assert len(set(sessions)) == 2


@pytest.mark.parametrize("text", ["null", "undefined", "00000000-0000-0000-0000-000000000000", " ", "(not set)"])
def test_a_placeholder_names_no_person(text: str) -> None:
    ((one,),) = groups(event(0, visitor=text, user=text, session=text))
    assert (one.intake.visitor, one.intake.user, one.intake.session) == (None, None, None)


@pytest.mark.parametrize(("name", "length"), [("visitor", 201), ("session", 300), ("id", 5000)])
def test_an_id_that_is_too_long_becomes_its_hash(name: str, length: int) -> None:
    def id_of(text: str) -> str | None:
        ((one,),) = groups(event(0, **{"visitor": "v-1", name: text}))
        return one.intake.events[0].id if name == "id" else getattr(one.intake, name)

    first, again, other = id_of("x" * length + "1"), id_of("x" * length + "1"), id_of("x" * length + "2")
    assert first == again != other
    assert first is not None
    assert len(first) == 32


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"type": ""}, "/0"),
        ({"type": "x" * 201}, "/0"),
        ({"type": " x"}, "/0"),
        ({"user": "u" * 201}, "/0"),
        *[({name: "cut \ufffd"}, "/0") for name in ("visitor", "user", "session", "id")],
        ({"user": "u-1", "previous": "cut \ufffd"}, "/0"),
        ({"time": "yesterday"}, "/0"),
        ({"type": "consent-changed", "properties": {"consents": {"ads": "perhaps"}}}, "/0/consents/ads"),
        ({"properties": {"a": 1.12345678901234567891}, "raw": b'{"a": 1.12345678901234567891}'}, "/0/a"),
        ({"properties": {"a": DEEP}, "raw": b'{"p":{"a":%s}}' % json.dumps(DEEP).encode()}, "/0/p/a" + "/0" * 18),
        ({"context": {"a": DEEP}, "raw": b'{"c":{"a":%s}}' % json.dumps(DEEP).encode()}, "/0/c/a" + "/0" * 18),
    ],
)
def test_an_event_that_cannot_be_taken_is_rejected_with_its_place(wrong: dict[str, Any], at: str) -> None:
    found = groups(event(0, **{"visitor": "v-1", **wrong}), event(1, visitor="v-1"))
    rejected = [one for group in found for intake in group for one in intake.intake.rejected]
    taken = [one.index for group in found for intake in group for one in intake.intake.events]
    assert [(one.index, one.at) for one in rejected] == [(0, at)]
    assert taken == [1]


def test_the_reason_for_an_unusable_time_names_no_member_of_another_protocol() -> None:
    ((intake,),) = groups(event(0, time="yesterday"))
    (rejected,) = intake.intake.rejected
    assert "or leave the time out" in rejected.reason


def test_an_event_that_the_translator_rejected_keeps_its_reason() -> None:
    fault = RejectedEvent(0, "it has no event", "/batch/0", event(0).raw)  # type: ignore[arg-type]  # Raw is bytes here
    (one,), _ = groups(fault, event(1, visitor="v-1"))
    assert one.intake.rejected == (fault,)


def test_without_ids_equal_events_of_one_request_are_told_apart_and_repeats_recognised() -> None:
    def ids() -> list[str | None]:
        timed = {"visitor": "v-1", "time": 1_700_000_000_000}
        found = groups(event(0, **timed), event(0, **timed), event(1, **timed), protocol="rakam")
        return [one.id for group in found for intake in group for one in intake.intake.events]

    assert ids() == ids()
    assert len(set(ids())) == 3
    assert None not in ids()


def test_without_a_time_an_equal_event_is_another_one_unless_the_source_says_otherwise() -> None:
    ((one,),) = groups(event(0, visitor="v-1"), protocol="rakam")
    assert one.intake.events[0].id is None
    source = Source(source="shop", deduplicate="content")
    ((one,),) = groups(event(0, visitor="v-1"), protocol="rakam", source=source)
    assert one.intake.events[0].id is not None


def test_a_source_may_say_that_ids_are_only_those_that_clients_give() -> None:
    source = Source(source="shop", deduplicate="given")
    ((one,),) = groups(event(0, visitor="v-1", time=1_700_000_000_000), protocol="rakam", source=source)
    assert one.intake.events[0].id is None


def test_equal_events_of_two_sources_or_two_protocols_have_different_ids() -> None:
    found = set()
    for name in ("shop", "app"):
        for protocol in ("rakam", "segment"):
            source = Source(source=name, deduplicate="content")
            ((one,),) = groups(event(0, visitor="v-1"), protocol=protocol, source=source)
            found.add(one.intake.events[0].id)
    assert len(found) == 4


def test_where_clients_give_ids_an_event_without_one_gets_none_from_its_content() -> None:
    ((one,),) = groups(event(0, visitor="v-1"))
    assert one.intake.events[0].id is None


def test_many_events_of_one_sender_are_divided() -> None:
    ((first, second),) = groups(*[event(number, visitor="v-1") for number in range(MAX_EVENTS + 1)])
    assert (len(first.intake.events), len(second.intake.events)) == (MAX_EVENTS, 1)


def test_large_events_of_one_sender_are_divided() -> None:
    raw = b'"%s"' % (b"x" * (MAX_BODY // 3))
    ((first, second),) = groups(*[event(number, visitor="v-1", raw=raw) for number in range(4)])
    assert (len(first.intake.events), len(second.intake.events)) == (2, 2)


names = st.sampled_from([None, "a1", "b2", "c3"])


@given(st.lists(st.tuples(names, names, names), max_size=12))
def test_events_with_a_name_in_common_are_in_one_group_and_keep_their_order(
    given: list[tuple[str | None, ...]],
) -> None:
    found = groups(*[event(i, visitor=v, user=u, session=s) for i, (v, u, s) in enumerate(given)])
    placed = [
        (number, incoming.index)
        for number, group in enumerate(found)
        for one in group
        for incoming in one.intake.events
    ]
    assert sorted(index for _, index in placed) == list(range(len(given)))
    for i, (group, index) in enumerate(placed):
        for other_group, other in placed[i + 1 :]:
            if any(name and name == same for name, same in zip(given[index], given[other], strict=True)):
                assert group == other_group
                assert index < other

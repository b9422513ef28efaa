"""Ids as clients send them: any printable text, or a whole number, which is kept with all its digits."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tracking.intake.payload import Intake, Refusal, read_track


def read(id: str) -> Intake:
    """The intake of a payload in which `id`, as JSON, stands wherever an id may stand."""
    event = f'{{"type": "page-view", "id": {id}}}'
    references = ", ".join(f'"{name}": {{"id": {id}}}' for name in ("source", "session", "profile", "visitor", "user"))
    return read_track(f'{{{references}, "events": [{event}]}}'.encode())


def ids(intake: Intake) -> set[str | None]:
    given = intake.source, intake.session, intake.profile, intake.visitor, intake.user
    return {*given, *(event.id for event in intake.events)}


@given(st.integers(-(10**198), 10**199))
def test_a_whole_number_is_an_id_with_all_its_digits(number: int) -> None:
    assert ids(read(str(number))) == {str(number)}


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200))
def test_a_text_of_printable_characters_is_an_id_as_it_is(id: str) -> None:
    assert ids(read(msgspec.json.encode(id).decode())) == {id}


@pytest.mark.parametrize(
    "id", ["\N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}", "\u0645\u06cc\N{ZERO WIDTH NON-JOINER}\u062e"]
)
def test_characters_that_join_others_may_stand_in_an_id(id: str) -> None:
    assert ids(read(msgspec.json.encode(id).decode())) == {id}


@pytest.mark.parametrize("id", ["\u200d", "\u200d ", "a\u200b", "a\u202eb", "a\nb", " a", "a "])
def test_characters_that_are_never_printed_are_refused(id: str) -> None:
    with pytest.raises(Refusal, match="control characters"):
        read(msgspec.json.encode(id).decode())


@pytest.mark.parametrize(
    ("id", "at"),
    [
        pytest.param("4.5", "/source/id", id="a number with a fraction"),
        pytest.param("1e3", "/source/id", id="a number with an exponent"),
        pytest.param("true", "/source/id", id="a truth value"),
        pytest.param("[42]", "/source/id", id="a list"),
        pytest.param("9" * 201, "/source", id="a number that is too long"),
        pytest.param("9" * 5000, "/source", id="a number that is much too long"),
    ],
)
def test_another_value_is_refused_with_its_place(id: str, at: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(id)
    assert (refused.value.kind, refused.value.at.removesuffix("/id")) == ("malformed", at.removesuffix("/id"))


@pytest.mark.parametrize("id", ["4.5", "true", "9" * 201])
def test_an_event_with_another_value_as_its_id_rejects_itself_alone(id: str) -> None:
    events = f'[{{"type": "a", "id": {id}}}, {{"type": "b", "id": 2}}]'
    intake = read_track(f'{{"source": {{"id": "web"}}, "session": {{"id": 1}}, "events": {events}}}'.encode())
    assert [event.id for event in intake.events] == ["2"]
    assert [event.at.removesuffix("/id") for event in intake.rejected] == ["/events/0"]

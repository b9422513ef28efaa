"""Quoted values: they are known from the words around them, whatever characters they have."""

from hypothesis import given
from hypothesis import strategies as st

from engine.language.quoting import BEGIN, END, MAX_QUOTED, plain, quoted, shape_of, values_of

WORDS = st.text(st.characters(exclude_characters=BEGIN + END, exclude_categories=["Cs"]), max_size=20)


@given(values=st.lists(st.text(max_size=MAX_QUOTED), max_size=4), words=WORDS)
def test_the_shape_of_a_text_depends_on_no_value(values: list[str], words: str) -> None:
    text = words.join(quoted(value) for value in values)
    assert shape_of(text) == words.join("{}" for _ in values)
    assert len(values_of(text)) == len(values)
    assert plain(text) == words.join(value.replace(BEGIN, "").replace(END, "") for value in values)


@given(value=st.text())
def test_a_value_cannot_end_its_own_mark(value: str) -> None:
    assert shape_of(f"no {quoted(value)} here") == "no {} here"


def test_a_long_value_is_cut() -> None:
    assert values_of(quoted("x" * 1000)) == ("x" * MAX_QUOTED + "…",)


def test_a_text_without_values_is_its_own_shape() -> None:
    assert shape_of("the event has no profile") == plain("the event has no profile") == "the event has no profile"

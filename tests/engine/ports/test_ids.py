"""Derived ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ports.ids import derived_id


def test_the_same_parts_give_the_same_id() -> None:
    assert derived_id(b"secret", "web", "s-1") == derived_id(b"secret", "web", "s-1")
    assert re.fullmatch("[0-9a-f]{32}", derived_id(b"secret", "web", "s-1"))


def test_another_secret_gives_another_id() -> None:
    assert derived_id(b"secret", "web", "s-1") != derived_id(b"other", "web", "s-1")


@given(st.lists(st.text()), st.lists(st.text()))
def test_different_parts_give_different_ids(some: list[str], others: list[str]) -> None:
    assert (derived_id(b"k", *some) == derived_id(b"k", *others)) == (some == others)


@pytest.mark.parametrize("parts", [("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")], ids=str)
def test_where_one_part_ends_matters(parts: tuple[str, ...]) -> None:
    known = {derived_id(b"k", *other) for other in [("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")]}
    assert len(known) == 4
    assert derived_id(b"k", *parts) in known

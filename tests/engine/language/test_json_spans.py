"""Cutting JSON text into its members: for JSON the parts are the values, and for any other text nothing breaks."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.language.json_spans import MAX_STEPS, NotCut, cut_object
from tests.fast import cases

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.builds(
    lambda members, events: {**members, "events": events},
    st.dictionaries(st.text(max_size=4), VALUES, max_size=4),
    st.lists(VALUES, max_size=6),
)
TEXTS = st.builds(lambda value, indent: json.dumps(value, indent=indent).encode(), OBJECTS, st.sampled_from([None, 2]))


@settings(max_examples=cases(400), deadline=None)
@given(OBJECTS, st.booleans())
def test_the_members_of_an_object_and_the_items_of_its_list_are_found(document: dict[str, Any], ascii: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii).encode(errors="surrogatepass")
    cut = cut_object(text, "events", 6)
    assert {name: json.loads(text[start:end]) for name, (start, end) in cut.members.items()} == document
    assert [json.loads(text[start:end]) for start, end in cut.items] == document["events"]


@settings(max_examples=cases(400), deadline=None)
@given(TEXTS, st.integers(0, 500), st.binary(max_size=3))
def test_a_damaged_text_is_cut_within_its_bounds_or_not_at_all(text: bytes, at: int, damage: bytes) -> None:
    damaged = text[:at] + damage + text[at + len(damage) :]
    try:
        cut = cut_object(damaged, "events", 10)
    except NotCut:
        return
    assert all(0 <= start <= end <= len(damaged) for start, end in (*cut.members.values(), *cut.items))
    assert all(first[1] < second[0] for first, second in zip(cut.items, cut.items[1:], strict=False))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b'{"a": 1', id="a bracket that is never closed"),
        pytest.param(b'{"a": "b}', id="a quote that is never closed"),
        pytest.param(b'{"a": 1} 2', id="more behind the object"),
        pytest.param(b"{a: 1}", id="a name without quotes"),
        pytest.param(b'{"events": [1, 2, 3, 4]}', id="more items than a caller counts"),
        pytest.param(b'{"a": ' + b"[" * (MAX_STEPS + 1) + b"]" * (MAX_STEPS + 1) + b"}", id="too many brackets"),
        pytest.param(b"{" + b",".join([b'"":0'] * (MAX_STEPS + 1)) + b"}", id="too many members"),
    ],
)
def test_a_text_whose_members_cannot_be_known_is_not_cut(text: bytes) -> None:
    with pytest.raises(NotCut):
        cut_object(text, "events", 2)

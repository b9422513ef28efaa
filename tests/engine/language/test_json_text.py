import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.absent import Unfit
from engine.language.json_text import JSON_DEPTH, from_json, nests_deeper
from engine.language.operators import TEXT_CAP

SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(SCALARS | st.text(st.characters(exclude_categories=["Cs"])), lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner))  # fmt: skip  # noqa: E501


@given(JSON)
def test_every_json_text_is_read_back(value):
    assert from_json(json.dumps(value)) == value


@given(st.text(st.characters()))
def test_any_text_is_read_or_unfit(text):
    with suppress(Unfit, UnicodeError):
        from_json(text)


@pytest.mark.parametrize("levels", [JSON_DEPTH, JSON_DEPTH + 1, 10_000])
def test_a_text_has_at_most_so_many_levels(levels):
    text = "[" * levels + "1" + "]" * levels
    if levels <= JSON_DEPTH:
        assert not nests_deeper(from_json(text), JSON_DEPTH)
    else:
        with pytest.raises(Unfit):
            from_json(text)


def test_a_text_that_is_too_long_is_unfit():
    with pytest.raises(Unfit, match="65,536"):
        from_json(" " * TEXT_CAP + "1")


def test_a_large_text_takes_little_time():
    begun = time.process_time()
    from_json("[" + ",".join(["[]"] * 20_000) + "]")
    assert time.process_time() - begun < 3

"""Lone surrogates in JSON text: each becomes U+FFFD, and whole characters stay."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.language.surrogates import REPLACEMENT, without_lone_surrogates
from tests.fast import cases

PIECES = st.sampled_from(["\ud83d", "\ude00", "\ud800", "\udfff", "😀", "\\", '"', "u", "d83d", "é", "a", "\n"])
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@settings(max_examples=cases(500), deadline=None)
@given(TEXTS)
def test_each_lone_surrogate_of_a_text_becomes_one_replacement_character(text: str) -> None:
    sent = json.dumps({text: [text]})
    read = json.loads(sent)  # it joins the halves of a pair that stand side by side
    (expected,) = [re.sub("[\ud800-\udfff]", REPLACEMENT, name) for name in read]
    mended = without_lone_surrogates(sent.encode())
    assert json.loads(mended) == {expected: [expected]}
    assert len(mended) == len(sent)


def test_a_text_without_lone_surrogates_is_returned_as_it_is() -> None:
    text = json.dumps(["😀", "\\ud83d", "\\\\ud83d"]).encode()
    assert without_lone_surrogates(text) is text

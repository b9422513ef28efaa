"""Keys in node configs: a value that is too long is refused, and no cache keeps it."""

import sys

import pytest

from engine.profile.key import KeyRules
from engine.profile.operations import Refused
from nodes.key import read_key


def test_a_value_that_is_too_long_is_refused_and_kept_nowhere() -> None:
    value = "x" * 201
    before = sys.getrefcount(value)
    with pytest.raises(Refused, match="is longer than 200 characters"):
        read_key("traits.name", value, KeyRules())
    assert sys.getrefcount(value) == before

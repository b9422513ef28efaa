import hmac
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.absent import Unfit
from engine.language.disguise import mask
from engine.problem import ProblemError
from tests.engine.language.expressions import compile_expression


@pytest.mark.parametrize(("text", "masked"), [
    ("ann@example.com", "a***@example.com"), ("a@example.com", "a***@example.com"), (" Ann.O@x.co ", "A***@x.co"),
    ("+49 170 1234567", "+** *** *****67"), ("0170/1234567", "****/*****67"), ("(030) 123-45 67", "(***) ***-** 67"),
    ("4111 1111 1111 1234", "**** **** **** 1234"), ("4111111111111234", "************1234"),
    ("Ann", "A***"), ("Ann Example", "A***"), ("12345", "1***"), ("no mail @home.de", "n***"), ("x@y", "x***"),
    ("An", "***"), ("a", "***"), ("", "***"), ("@example.com", "@***"),
])  # fmt: skip
def test_a_value_is_masked_by_its_shape(text, masked):
    assert mask(text) == masked


@pytest.mark.parametrize("value", [1, None, True, ["a"]])
def test_only_text_is_masked(value):
    with pytest.raises(Unfit):
        mask(value)


@given(st.text())
def test_little_of_a_text_is_left(text):
    left = mask(text).rpartition("@")[0] or mask(text)
    assert sum(character.isalnum() for character in left) <= 4


@given(st.from_regex(r"[0-9]{7,19}", fullmatch=True))
def test_of_many_digits_at_most_four_are_left(digits):
    masked = mask(digits)
    assert len(masked.replace("*", "")) in {2, 4}
    assert digits.endswith(masked.replace("*", ""))


def test_the_longest_text_takes_little_time():
    begun = time.process_time()
    for text in ("1 " * 30_000, "+" * 60_000, "1" * 60_000, "(1" * 30_000, "@" * 60_000, "1- " * 20_000):
        mask(text)
    assert time.process_time() - begun < 0.5


KEYS = {"partner": "a secret of the test"}


def keyed(text, **scope):
    return compile_expression(text).evaluate({"event": {"x": "ann@example.com"}, **scope})


def test_a_keyed_hash_is_the_hmac_by_the_secret_of_that_name():
    expected = hmac.digest(b"a secret of the test", b"ann@example.com", "sha256").hex()
    assert keyed("event.x | hmac('partner')", hash_keys=KEYS) == expected
    assert len(keyed("event.x | hmac('partner', 'sha512')", hash_keys=KEYS)) == 128


@pytest.mark.parametrize(("text", "keys"), [
    ("event.x | hmac('other')", KEYS), ("event.x | hmac('partner')", {}), ("event.x | hmac('partner', 'md5')", KEYS),
])  # fmt: skip
def test_without_the_key_and_with_a_weak_algorithm_it_fails(text, keys):
    with pytest.raises(Unfit):
        keyed(text, hash_keys=keys)
    with pytest.raises(Unfit):
        keyed(text)


def test_the_keys_are_no_values_that_an_author_reads():
    values: dict[str, object] = {}
    compile_expression("event.x | hmac('partner')").note({"event": {"x": 1}, "hash_keys": KEYS}, values)
    assert values == {"event.x": 1}
    with pytest.raises(ProblemError):
        compile_expression("hash_keys.partner")


@pytest.mark.parametrize("text", ["event.x | hmac", "event.x | hmac(event.x)", "event.x | hmac('A b')"])
def test_the_name_of_a_key_is_a_literal(text):
    with pytest.raises(ProblemError):
        compile_expression(text)

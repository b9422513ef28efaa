"""Normalised keys: spellings of one address, number or login are one key; different values are different keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.key import Form, KeyRules, folded, key_text
from engine.profile.operations import Refused

PATH = ("pii", "key")


def rules(form: Form, region: str | None = None) -> KeyRules:
    return KeyRules(forms=((PATH, form),), region=region)


@pytest.mark.parametrize(
    ("form", "spellings"),
    [
        pytest.param("email", ["ann@x.de", " Ann@X.DE\n", "ａｎｎ@x.de", "an\u200bn@x.de"], id="an address"),
        pytest.param("phone", ["030 901820", "+49 30 901820", "0049 30/90-18-20", "4930901820"], id="a number"),
        pytest.param("lower", ["ann ä", "ANN Ä", "ann a\u0308 "], id="a text without case"),
        pytest.param("exact", ["A-1", " A-1 "], id="a text"),
    ],
)
def test_different_spellings_of_one_value_are_one_key(form: Form, spellings: list[str]) -> None:
    assert len({key_text(PATH, spelling, rules(form, "DE")) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("form", "one", "other"),
    [
        pytest.param("email", "ann.b@gmail.com", "annb@gmail.com", id="dots of a provider"),
        pytest.param("email", "ann+shop@x.de", "ann@x.de", id="tags"),
        pytest.param("phone", "030 901820", "+1 202 456 1111", id="numbers"),
        pytest.param("phone", "030 901820 ext. 12", "030 901820 ext. 13", id="extensions"),
        pytest.param("phone", "030 901820 ext. 12", "030 901820", id="an extension and none"),
        pytest.param("phone", "030 901820 ext. 12", "030 901820 ext. 012", id="zeros before an extension"),
        pytest.param("exact", "a-1", "A-1", id="case, where it counts"),
    ],
)
def test_different_values_are_different_keys(form: Form, one: str, other: str) -> None:
    assert key_text(PATH, one, rules(form, "DE")) != key_text(PATH, other, rules(form, "DE"))


@given(st.text(max_size=20))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.one_of(st.text(max_size=20), st.emails()), st.sampled_from(["email", "lower", "exact"]))
def test_a_normalised_key_is_not_changed_again(text: str, form: Form) -> None:
    try:
        key = key_text(PATH, text, rules(form))
    except Refused:
        return
    assert key_text(PATH, key, rules(form)) == key


EXTENSIONS = (
    " ext. {}",
    " ext {}",
    " extension {}",
    " x{}",
    " x {}",
    " #{}",
    ";ext={}",
    " anexo {}",
    " доб. {}",
    " ~{}",
    ",,{}#",
)


@given(
    st.sampled_from(["+49 30 901820", "030/901820", "0049-30-901820", "tel:+49-30-901820"]),
    st.sampled_from(EXTENSIONS),
    st.integers(0, 999_999).map(str),
)
def test_an_extension_stays_in_the_key_in_every_spelling(number: str, spelling: str, digits: str) -> None:
    key = key_text(PATH, number + spelling.format(digits), rules("phone", "DE"))
    assert key == f"+4930901820;ext={digits}"
    assert key_text(PATH, key, rules("phone")) == key


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("+49 30 901820 / x12", id="an extension behind a slash"),
        pytest.param("(530) 583-6985 x302/x2303", id="two extensions"),
        pytest.param("+4930901820;isub=12", id="a subaddress"),
    ],
)
def test_a_number_of_which_a_part_would_be_lost_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not a phone number"):
        key_text(PATH, text, rules("phone", "US"))


def test_a_number_with_too_many_digits_is_refused() -> None:
    with pytest.raises(Refused, match="200 digits"):
        key_text(PATH, 10**5000, rules("exact"))


@pytest.mark.parametrize("region", ["DE", None])
def test_a_number_without_its_country_needs_the_region(region: str | None) -> None:
    if region:
        assert key_text(PATH, "030 901820", rules("phone", region)) == "+4930901820"
        return
    with pytest.raises(Refused, match="with its country code"):
        key_text(PATH, "030 901820", rules("phone"))

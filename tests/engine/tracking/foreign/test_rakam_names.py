"""Rakam's names: collections in lower case, properties in snake case of ASCII letters."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tracking.foreign.items import UnusableMember
from engine.tracking.foreign.rakam_names import named_properties, property_name, type_of


@pytest.mark.parametrize(
    ("collection", "type"),
    [("pageView", "pageview"), ("order", "order"), ("ORDER PAID", "order paid"), ("", "(empty string)"), ("É", "é")],
)
def test_the_type_of_an_event_is_its_collection_in_lower_case(collection: str, type: str) -> None:
    assert type_of(collection) == type


@pytest.mark.parametrize("collection", [None, 7, True, [], {}])
def test_a_collection_is_text(collection: Any) -> None:
    with pytest.raises(UnusableMember, match=r"^collection parameter must be a string$"):
        type_of(collection)


def test_a_collection_has_100_characters_at_most() -> None:
    assert type_of("x" * 100) == "x" * 100
    with pytest.raises(UnusableMember, match=r"^Collection name must have maximum 100 characters\.$"):
        type_of("x" * 101)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("url", "url"),
        ("userAgent", "user_agent"),
        ("user_agent", "user_agent"),
        ("userID", "user_id"),
        ("URL", "url"),
        ("UserName", "user_name"),
        ("a1B", "a1b"),
        (" padded ", "padded"),
        ('"quoted"', "quoted"),
        ("two words", "two words"),
        ("utm.source", "utm.source"),
        ("_deviceId", "_device_id"),
        ("müşteri", "musteri"),
        ("prénomÉcrit", "prenom_ecrit"),
    ],
)
def test_a_property_is_kept_under_its_name_in_snake_case(name: str, kept: str) -> None:
    assert property_name(name) == kept


@pytest.mark.parametrize("name", ["", " ", '""', "имя", "名前", "straße", "\u0301"])
def test_a_name_without_ascii_letters_is_none(name: str) -> None:
    with pytest.raises(ValueError, match=r"propert"):
        property_name(name)


@given(st.text(st.characters(codec="utf-8"), max_size=12) | st.text(string.ascii_letters + '_" 1é', max_size=12))
def test_a_name_that_is_kept_is_its_own(name: str) -> None:
    try:
        kept = property_name(name)
    except ValueError:
        return
    assert property_name(kept) == kept
    assert kept.isascii()
    assert not set(kept) & {'"', *string.ascii_uppercase}


def test_properties_that_are_null_are_left_out_and_nested_names_stay() -> None:
    given = {"userAgent": "Firefox", "gone": None, "cartItems": [{"itemName": None}], "no": False, "zero": 0}
    kept = {"user_agent": "Firefox", "cart_items": [{"itemName": None}], "no": False, "zero": 0}
    assert named_properties(given, "/properties") == kept
    assert named_properties(None, "/properties") == {}


def test_an_unusable_name_is_named_with_its_place() -> None:
    with pytest.raises(UnusableMember) as wrong:
        named_properties({"a": 1, "имя/x": 2}, "/properties")
    assert wrong.value.at == "/properties/имя~1x"


@pytest.mark.parametrize("properties", [[], "text", 7, True])
def test_properties_are_an_object(properties: Any) -> None:
    with pytest.raises(UnusableMember, match=r"^properties must be an object$"):
        named_properties(properties, "/properties")

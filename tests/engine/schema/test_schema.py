from engine.schema.conform import conformed, new_fields
from engine.schema.schema import MAX_FIELDS, MAX_NAME, Learnt, LearntField
from engine.schema.value_type import TYPES

TYPED = {"total": TYPES["DOUBLE"], "tags": TYPES["ARRAY_LONG"]}


def claim(type: str, event: str = "e1") -> LearntField:
    return LearntField(TYPES[type], 1_000, event)


def test_the_first_claim_of_a_field_wins() -> None:
    first = Learnt().with_claims({"total": claim("DOUBLE")})
    assert first.with_claims({"total": claim("STRING", "e2")}) == first


def test_claims_keep_the_order_in_which_they_were_made() -> None:
    learnt = Learnt().with_claims({"b": claim("DOUBLE")}).with_claims({"a": claim("STRING"), "b": claim("LONG")})
    assert list(learnt.fields) == ["b", "a"]


def test_a_full_collection_takes_the_claims_that_fit_and_no_more() -> None:
    learnt = Learnt().with_claims({f"f{n}": claim("DOUBLE") for n in range(MAX_FIELDS - 1)})
    assert not learnt.full
    learnt = learnt.with_claims({"last": claim("STRING"), "more": claim("STRING")})
    assert learnt.full
    assert "last" in learnt.fields
    assert "more" not in learnt.fields


def test_properties_are_cast_and_those_without_a_type_kept() -> None:
    found = conformed("order", {"total": "12.5", "note": [1], "tags": "7"}, TYPED)
    assert found.properties == {"total": 12.5, "note": [1], "tags": [7]}
    assert found.refused == ()


def test_a_refused_value_is_left_out_and_names_its_field_and_type() -> None:
    found = conformed("order", {"total": "a lot", "note": "x"}, TYPED)
    assert found.properties == {"note": "x"}
    (refused,) = found.refused
    assert (refused.field, refused.type, refused.value) == ("total", "DOUBLE", "a lot")
    assert refused.reason == "the field `total` of `order` is DOUBLE, and this event has a text that spells no number"


def test_a_value_of_which_a_part_is_refused_keeps_the_others() -> None:
    found = conformed("order", {"tags": [1, "x"]}, TYPED)
    assert found.properties == {"tags": [1]}
    (refused,) = found.refused
    assert refused.value == [1, "x"]
    assert refused.reason.endswith("parts of it were left out: element 2: a text that spells no number")


def test_a_field_is_new_if_it_has_no_type_and_its_value_says_one() -> None:
    properties = {"total": 1, "note": "x", "nothing": None, "n" * (MAX_NAME + 1): 1}
    assert dict(new_fields(properties, TYPED)) == {"note": TYPES["STRING"]}

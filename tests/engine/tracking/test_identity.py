import pytest

from engine.tracking.identity import is_placeholder

PLACEHOLDERS = (
    *("", " ", "''", "null", "NULL ", "'undefined'", "(null)", "<null>", "-", "--", "[]", "{}", "nil", "00", "0"),
    *("null@null", "none@none", "undefined@undefined.com", "[object Object]"),
    *("\u200b", "\u00a0\ufeff", "nu\u200bll", "\uff4eull", "\uff10", "\u2060undefined", "\uff0d"),
)


@pytest.mark.parametrize("id", PLACEHOLDERS, ids=ascii)
def test_what_programs_send_without_an_id_is_a_placeholder(id: str) -> None:
    assert is_placeholder(id)


@pytest.mark.parametrize(
    "id", ["1", "000", "a", "anna@null.example", "null-1", "\u00e9", "\u738b", "\u0646\u200c\u0645"], ids=ascii
)
def test_an_id_is_none(id: str) -> None:
    assert not is_placeholder(id)

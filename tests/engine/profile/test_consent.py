"""The state of a stored consent at a time; a value that is not certainly a consent counts as none."""

from typing import Any

import pytest

from engine.profile.consent import MAX_CONSENTS, Decision, consent_state, decision_operations, is_consent_name, is_given
from engine.profile.operations import Refused, Set

NOW = 1_700_000_000_000
BEFORE, LATER = NOW - 1, NOW + 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(None, "absent", id="null"),
        pytest.param(True, "given", id="true"),
        pytest.param(False, "revoked", id="false"),
        pytest.param({"given": BEFORE}, "given", id="given"),
        pytest.param({"given": LATER}, "given", id="given by a clock that is ahead"),
        pytest.param({"given": float(BEFORE)}, "given", id="given at a time with a fraction"),
        pytest.param({"given": BEFORE, "note": "by post"}, "given", id="given with something else beside it"),
        pytest.param({"given": BEFORE, "revoked": NOW}, "revoked", id="revoked later"),
        pytest.param({"given": NOW, "revoked": NOW}, "revoked", id="revoked at the same time"),
        pytest.param({"given": NOW, "revoked": BEFORE}, "given", id="given again"),
        pytest.param({"revoked": BEFORE}, "revoked", id="only revoked"),
        pytest.param({"given": BEFORE, "expires": LATER}, "given", id="not expired yet"),
        pytest.param({"given": BEFORE, "expires": NOW}, "expired", id="expires now"),
        pytest.param({"given": BEFORE, "expires": BEFORE}, "expired", id="expired"),
        pytest.param({"given": BEFORE, "revoked": NOW, "expires": LATER}, "revoked", id="revoked before it expired"),
        pytest.param({"expires": LATER}, "unreadable", id="only expires"),
        pytest.param({"revoked": BEFORE, "expires": LATER}, "revoked", id="revoked and expires"),
        pytest.param({}, "unreadable", id="nothing in it"),
        pytest.param({"given": True}, "unreadable", id="given without a time"),
        pytest.param({"given": None}, "unreadable", id="given at null"),
        pytest.param({"given": -1}, "unreadable", id="given before all times"),
        pytest.param({"given": "2024-05-01"}, "unreadable", id="given at a text"),
        pytest.param({"given": BEFORE, "revoked": False}, "unreadable", id="revoked is no time"),
        pytest.param({"given": BEFORE, "revoked": None}, "unreadable", id="revoked is null"),
        pytest.param({"given": BEFORE, "expires": "2030-01-01"}, "unreadable", id="expires at a text"),
        pytest.param("yes", "unreadable", id="text"),
        pytest.param("true", "unreadable", id="the text true"),
        pytest.param(1, "unreadable", id="a number"),
        pytest.param(["given"], "unreadable", id="a list"),
    ],
)
def test_a_consent_is_given_only_if_its_value_says_so_without_doubt(value: Any, expected: str) -> None:
    assert consent_state({"mail": value}, "mail", NOW) == expected
    assert is_given({"mail": value}, "mail", NOW) == (expected == "given")


def test_a_consent_without_a_decision_is_absent():
    assert consent_state({}, "mail", NOW) == "absent"
    assert not is_given({"post": True}, "mail", NOW)


@pytest.mark.parametrize(
    ("decision", "value"),
    [
        pytest.param(Decision(given=True), {"given": NOW}, id="for good"),
        pytest.param(Decision(given=True, lasts_ms=10), {"given": NOW, "expires": NOW + 10}, id="for a time"),
        pytest.param(Decision(given=False), {"revoked": NOW}, id="revoked"),
        pytest.param(Decision(given=False, lasts_ms=10), {"revoked": NOW}, id="revoked does not expire"),
    ],
)
def test_a_decision_replaces_the_stored_consent(decision: Decision, value: Any) -> None:
    assert list(decision_operations({"mail": True}, {"mail": decision}, NOW)) == [Set(("consents", "mail"), value)]
    assert consent_state({"mail": value}, "mail", NOW) == ("given" if decision.given else "revoked")


def test_a_profile_has_a_limited_number_of_consents():
    full = {f"c{i}": True for i in range(MAX_CONSENTS)}
    assert list(decision_operations(full, {"c1": Decision(given=False)}, NOW))
    with pytest.raises(Refused, match="at most 100 consents"):
        list(decision_operations(full, {"one-more": Decision(given=True)}, NOW))


def test_a_merged_profile_with_too_many_consents_may_still_revoke_them():
    too_many = {f"c{i}": True for i in range(MAX_CONSENTS + 20)}
    assert list(decision_operations(too_many, {"c119": Decision(given=False)}, NOW))


@pytest.mark.parametrize("name", ["newsletter", "e_mail", "ad-storage", "_", "2024", "A" * 100])
def test_the_name_is_valid_for_a_consent(name: str) -> None:
    assert is_consent_name(name)


@pytest.mark.parametrize("name", ["", " ", "a b", "a.b", "-a", "für", "a\n", "A" * 101, "a['b']"])
def test_the_name_is_not_valid_for_a_consent(name: str) -> None:
    assert not is_consent_name(name)

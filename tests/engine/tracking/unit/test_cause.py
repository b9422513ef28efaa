"""Causes: equal for runs that fail alike, and without data of a person."""

from time import perf_counter

import pytest

from engine.tracking.unit.cause import MAX_CAUSE, cause_of

FLOW = """
flow: order
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
  no: {fail: "no customer {{ event.properties.email }} in the list"}
"""


@pytest.mark.parametrize(("reason", "by_author", "cause"), [
    ("`event.properties.email` is absent", False, "`event.properties.email` is absent"),
    ("`bo` at `pii.email` is not an e-mail address", False, "{} at `pii.email` is not an e-mail address"),
    ("`+49 30 901820` at `pii.email` is not a phone number", False, "{} at `pii.email` is not a phone number"),
    ("`date` needs an ISO 8601 time, not 'Ann Lee'", False, "{} needs an ISO {} time, not {}"),
    ("the target answered 503", False, "the target answered 503"),
    ("no customer ann@example.com in the list", True, "no customer {} in the list"),
    ("no customer Ann Lee in the list", True, "no customer {} in the list"),
    ("Ann has no order", False, "Ann has no order"),
    ("Ann has no order", True, "{} no order"),
    ("call 0049309018 or ann@x", False, "call {} or {}"),
])  # fmt: skip
def test_a_cause_keeps_the_words_of_headrace_and_of_the_author(reason: str, by_author: bool, cause: str) -> None:
    assert cause_of(reason, FLOW, written_by_author=by_author) == cause


def test_two_people_who_fail_alike_have_one_cause() -> None:
    reasons = [f"`{name}` at `pii.email` is not an e-mail address" for name in ("ann", "bo lee", "x\u2068y")]
    assert len({cause_of(reason, FLOW) for reason in reasons}) == 1


@pytest.mark.parametrize("text", ["x" * 1_000_000, "`" * 1_000_000, "{} " * 300_000, "1a" * 500_000, "'a " * 300_000])
def test_a_reason_of_any_length_takes_little_time(text: str) -> None:
    began = perf_counter()
    cause = cause_of(f"no {text}", FLOW, written_by_author=True)
    assert len(cause) <= MAX_CAUSE
    assert perf_counter() - began < 1  # far more than it takes; without bounds it would be minutes

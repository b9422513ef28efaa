"""Plans: the events that a trigger matches; durations; names of the project; percent-encoded path segments."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.config_template import percent_encode
from engine.flow.names import ProjectNames
from engine.flow.plan import Trigger
from engine.language.absent import Unfit
from engine.language.duration import UNITS, read_duration, show_duration

NAMES = ProjectNames(frozenset({"vip", "rich"}), frozenset({"vip"}), frozenset({"crm"}), frozenset({"shop"}))


@pytest.mark.parametrize(
    ("events", "type", "matches"),
    [
        ((), "anything", True),
        (("paid",), "paid", True),
        (("paid",), "paid-twice", False),
        (("paid",), "Paid", False),
        (("order-*",), "order-paid", True),
        (("order-*",), "order-", True),
        (("order-*",), "reorder-paid", False),
        (("*-paid", "*-open"), "shop-open", True),
        (("order-?",), "order-1", True),
        (("order-?",), "order-12", False),
        (("order.paid",), "order-paid", False),
        (("order[12]",), "order1", False),
        (("order[12]",), "order[12]", True),
        (("*",), "with\nnewline", True),
    ],
)
def test_a_trigger_matches_names_and_globs(events: tuple[str, ...], type: str, matches: bool):
    assert Trigger(events=events).matches_type(type) == matches
    assert Trigger(sources=events).matches_source(type) == matches


@pytest.mark.parametrize(
    ("text", "ms"),
    [("500ms", 500), ("2s", 2_000), ("10m", 600_000), ("24h", 86_400_000), ("7d", 604_800_000), ("0s", 0)],
)
def test_a_duration_is_a_whole_number_and_a_unit(text: str, ms: int):
    assert read_duration(text) == ms


@pytest.mark.parametrize(
    "text", ["", "2", "s", "1.5s", "-1s", "2 s", "2S", "1w", "2s3", "1234567890s", "٣s", 2, None, True]
)
def test_any_other_value_is_no_duration(text: Any):
    assert read_duration(text) is None


@given(st.integers(0, 999_999_999), st.sampled_from(sorted(UNITS)))
def test_a_formatted_duration_can_be_read(number: int, unit: str):
    ms = number * UNITS[unit]
    text = show_duration(ms)
    assert read_duration(text) in (ms, None)
    assert len(text) <= len(f"{ms}ms")


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("segment", "vip", None),
        ("segment", "rich", None),
        ("segment", "vp", "H118"),
        ("manual-segment", "vip", None),
        ("manual-segment", "rich", "H309"),
        ("manual-segment", "vp", "H118"),
        ("target", "crm", None),
        ("target", "erp", "H118"),
        ("source", "shop", None),
        ("source", "shp", "H118"),
    ],
)
def test_a_name_must_be_one_of_the_project(kind: str, name: str, code: str | None):
    problem = NAMES.problem(kind, name)
    assert (problem.code if problem else None) == code
    assert problem is None or problem.help


@pytest.mark.parametrize(
    ("kind", "help"),
    [("segment", "segments/new.yaml"), ("target", "headrace.yaml"), ("source", "sources/new.yaml")],
)
def test_an_unknown_name_in_an_empty_project_gets_the_file_to_add_it_to(kind: str, help: str):
    problem = ProjectNames().problem(kind, "new")
    assert problem is not None
    assert help in problem.help


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("a b", "a%20b"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("...", "..."),
        ("ä", "%C3%A4"),
        ("a%2Fb", "a%252Fb"),
    ],
)
def test_an_encoded_text_is_one_segment_of_a_path(text: str, segment: str):
    assert percent_encode(text) == segment


def test_a_segment_of_a_path_is_never_empty():
    with pytest.raises(Unfit):
        percent_encode("")

from typing import Any

import pytest

from engine.project.source import Target
from engine.project.target_limits import Rate, give_up_ms, rate_of, read_rate, share_of, timeout_ms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50/s", Rate(50, 1)),
        ("600/min", Rate(600, 60)),
        ("600/m", Rate(600, 60)),
        ("1/h", Rate(1, 3600)),
        ("5/d", Rate(5, 86_400)),
        ("100000/s", Rate(100_000, 1)),
        *((text, None) for text in ("0/s", "-1/s", "100001/s", "50", "50/x", " 5/s", "5 / s", "1.5/s", "٥/s", None, 5)),
    ],
)
def test_a_rate_is_read(text: Any, expected: Rate | None) -> None:
    assert read_rate(text) == expected


def test_the_limits_of_a_target_are_numbers() -> None:
    target = Target(url="https://crm.example", rate="600/min", timeout="2500ms", give_up="12h")
    rate = rate_of(target)
    assert rate is not None
    assert (rate.per_second, timeout_ms(target), give_up_ms(target)) == (10, 2_500, 43_200_000)


def test_a_target_without_limits_has_the_default_durations_and_no_rate() -> None:
    target = Target(url="https://crm.example")
    assert (rate_of(target), timeout_ms(target), give_up_ms(target)) == (None, 10_000, 259_200_000)


@pytest.mark.parametrize(
    ("rate", "shards", "each"),
    [
        pytest.param(Rate(50, 1), 1, Rate(50, 1), id="one shard has all of it"),
        pytest.param(Rate(50, 1), 4, Rate(12, 1), id="together they never have more"),
        pytest.param(Rate(2, 60), 4, Rate(1, 120), id="fewer requests than shards"),
    ],
)
def test_shards_share_a_rate(rate: Rate, shards: int, each: Rate) -> None:
    assert share_of(rate, shards) == each

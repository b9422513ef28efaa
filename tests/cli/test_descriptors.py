"""The limit of descriptors, and the share of it that connections may take."""

import resource
from collections.abc import Iterator

import pytest

from cli.descriptors import MAX_CONNECTIONS, MOST, RESERVED, connections_within, raise_limit


@pytest.fixture
def restored() -> Iterator[tuple[int, int]]:
    """The limits of this process, which the test may change."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield limits
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_the_soft_limit_is_raised_to_the_hard_one_as_far_as_is_of_use(restored: tuple[int, int]) -> None:
    _, hard = restored
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    assert raise_limit() == wanted
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
    assert raise_limit() == wanted


@pytest.mark.parametrize(
    ("limit", "connections"),
    [(64, 32), (1_024, 512), (4_096, 4_096 - RESERVED), (20_000, MAX_CONNECTIONS), (MOST, MAX_CONNECTIONS)],
)
def test_descriptors_are_left_for_files_and_look_ups(limit: int, connections: int) -> None:
    assert connections_within(limit) == connections

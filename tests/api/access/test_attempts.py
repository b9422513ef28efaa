"""Those who guess passwords wait, and nobody else does for long."""

import pytest

from api.access.attempts import MOST, OF_ADDRESS, OF_NAME, OF_ONE, WINDOW_MS, Attempts
from effects.clock import ManualClock


def test_a_pair_of_name_and_address_waits_for_the_rest_of_a_minute() -> None:
    clock = ManualClock()
    attempts = Attempts(clock)
    assert [attempts.begin("ann", "a") for _ in range(OF_ONE)] == [0] * OF_ONE
    clock.advance(20_000)
    assert attempts.begin("ann", "a") == 40
    assert (attempts.begin("bob", "a"), attempts.begin("ann", "b")) == (0, 0)
    clock.advance(WINDOW_MS - 20_000)
    assert attempts.begin("ann", "a") == 0


def test_a_name_and_an_address_have_limits_of_their_own() -> None:
    attempts = Attempts(ManualClock())
    assert [attempts.begin("ann", f"a{n}") for n in range(OF_NAME + 1)].count(0) == OF_NAME
    assert [attempts.begin(f"u{n}", "b") for n in range(OF_ADDRESS + 1)].count(0) == OF_ADDRESS


def test_strangers_do_not_lock_a_user_out() -> None:
    attempts = Attempts(ManualClock())
    attempts.succeeded("ann", "home")
    for n in range(2 * OF_NAME):
        attempts.begin("ann", f"a{n}")
    assert attempts.begin("ann", "new") > 0
    assert attempts.begin("ann", "home") == 0


@pytest.mark.parametrize(("one", "other", "same"), [
    ("2001:db8::1", "2001:db8::ffff", True),
    ("2001:db8::1", "2001:db8:0:1::1", False),
    ("192.0.2.1", "192.0.2.2", False),
    ("", "testclient", False),
])  # fmt: skip
def test_an_address_of_ipv6_counts_with_its_network(one: str, other: str, same: bool) -> None:
    attempts = Attempts(ManualClock())
    for _ in range(OF_ONE):
        attempts.begin("ann", one)
    assert (attempts.begin("ann", other) > 0) == same


def test_what_is_remembered_is_bounded() -> None:
    clock = ManualClock()
    attempts = Attempts(clock)
    for n in range(MOST):
        attempts.begin(f"u{n}", f"a{n}")
        attempts.succeeded(f"v{n}", f"a{n}")
    attempts.succeeded("last", "one")
    assert (len(attempts._windows), len(attempts._known)) == (MOST, MOST)

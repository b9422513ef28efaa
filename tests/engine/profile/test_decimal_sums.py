"""Sums of decimals: in any order and after any merges, a sum is that of the decimals that were sent."""

from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.buckets import DAY_MS, counted
from engine.profile.digest import digest
from engine.profile.operations import Add, Count, Increment, Operation, Refused, Set, Unset
from engine.profile.rounded_view import RoundedView, sums_of
from engine.profile.tree import change
from engine.profile.value import COUNT_LIMIT, LEAST_AMOUNT
from storage.encoding import decode_profile, encode
from tests.engine.profile.histories import examples
from tests.engine.profile.profiles import Profiles

SPENT, NAME = ("traits", "spent"), ("traits", "name")
NOON = 1_714_564_800_000  # 2024-05-01T12:00:00Z
IDS = "ABCD"
SIX = [19.99, 19.99, 0.05, 19.99, 19.99, 19.99]

# Decimals of at most 15 digits, from 1e-40 to 1e40, as a sender's JSON may write them.
decimals = st.builds(
    lambda digits, scale: Decimal(digits).scaleb(scale, Context(60)),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.one_of(st.integers(-6, 2), st.integers(-40, 25)),
)
shares = st.lists(st.tuples(st.sampled_from(IDS), decimals), min_size=1, max_size=10)


def sent(amount: Decimal) -> int | float:
    """Return a decimal as the number that a JSON decoder makes of it."""
    number = float(amount)
    return int(amount) if amount == amount.to_integral_value() and abs(amount) >= 2**53 else number


def sum_of(amounts: list[Decimal]) -> Fraction:
    return sum(map(Fraction, amounts), Fraction(0))


def shown(total: Fraction) -> int | float:
    """Return the number that a reader sees for a sum."""
    return int(total) if total.denominator == 1 else float(total)


def exactly(view: dict[str, Any], path: tuple[str, str] = SPENT) -> Fraction:
    """Return the number at a path as exactly as the view has it."""
    number = view.get(path[0], {}).get(path[1], 0)
    return Fraction(Decimal(sums_of(view).get(path, repr(number))))


class Stored(Profiles):
    """Profiles that are encoded and decoded after each write, as stores do."""

    def commit(self, id: str, ops: Any, now: int) -> None:
        expected = self.read(id)
        for op in ops:
            expected = change(expected, op, self.fields)
        super().commit(id, ops, now)
        assert sums_of(self.read(id)) == sums_of(expected)
        self.store(id)

    def store(self, id: str) -> None:
        profile = self.of(id)
        self.documents[profile.id] = decode_profile(encode(profile))

    def join_all(self, ids: str) -> None:
        for left, right in pairwise(ids):
            self.merge(left, right, "k")
            self.store(left)


@examples(200)
@given(shares, st.permutations(IDS), st.integers(0, 10), st.randoms(use_true_random=False))
def test_the_sum_of_any_decimals_is_exact_across_merges_and_taking_all_away_leaves_0(
    payments: list[tuple[str, Decimal]], order: list[str], merged_after: int, random: Random
) -> None:
    profiles, clock = Stored(IDS), 10
    for turn, (id, amount) in enumerate(payments):
        if turn == merged_after:
            profiles.join_all("".join(order))
        profiles.commit(id, [Increment(SPENT, sent(amount)), Count("spent", sent(amount), NOON)], clock + turn)
    profiles.join_all("".join(order))
    expected = sum_of([amount for _, amount in payments])
    view = profiles.read("A")
    assert exactly(view) == expected
    number = view["traits"]["spent"]
    assert (type(number), number) == (type(shown(expected)), shown(expected))
    assert counted(view["counters"]["spent"], DAY_MS, NOON) == shown(expected)
    back = [Increment(SPENT, sent(-amount)) for _, amount in payments]
    random.shuffle(back)
    counts = [Count("spent", each.by, NOON) for each in back]
    profiles.commit(random.choice(IDS), [*back, *counts], clock + 20)  # in one unit: its view must be exact, too
    after = profiles.read("A")
    assert (after["traits"]["spent"], type(after["traits"]["spent"]), sums_of(after)) == (0, int, {})
    assert counted(after["counters"]["spent"], DAY_MS, NOON) == 0


@examples(60)
@given(shares, st.permutations(range(10)))
def test_the_same_payments_in_another_order_make_the_same_digest(
    payments: list[tuple[str, Decimal]], order: list[int]
) -> None:
    digests = set()
    for turns in (range(10), order):
        profiles = Stored(IDS)
        for turn in turns:
            for id, amount in payments[turn : turn + 1]:
                profiles.commit(id, [Increment(SPENT, sent(amount)), Count("spent", sent(amount), NOON)], 10)
        profiles.join_all(IDS)
        digests.add(digest(profiles.of("A")))
    assert len(digests) == 1


@examples(100)
@given(shares, decimals.filter(lambda start: abs(start) < 10**15), st.sampled_from(IDS))
def test_increments_of_a_value_that_was_set_are_exact(
    payments: list[tuple[str, Decimal]], start: Decimal, setter: str
) -> None:
    profiles = Stored(IDS)
    profiles.join_all(IDS)
    for clock, (id, amount) in enumerate(payments, 10):
        profiles.commit(id, [Increment(SPENT, sent(amount))], clock)
    profiles.commit(setter, [Set(SPENT, sent(start))], 30)
    for clock, (id, amount) in enumerate(payments, 40):
        profiles.commit(id, [Increment(SPENT, sent(amount))], clock)
    assert exactly(profiles.read("A")) == Fraction(start) + sum_of([amount for _, amount in payments])


@examples(60)
@given(shares, shares)
def test_after_an_unmerge_each_side_has_its_own_sum(
    before: list[tuple[str, Decimal]], after: list[tuple[str, Decimal]]
) -> None:
    profiles = Stored(IDS)
    for clock, (id, amount) in enumerate(before, 10):
        profiles.commit(id, [Increment(SPENT, sent(amount))], clock)
    profiles.join_all(IDS)
    for clock, (id, amount) in enumerate(after, 30):
        profiles.commit(id, [Increment(SPENT, sent(amount))], clock)
    profiles.unmerge("C", "k")
    for side in ("ABD", "C"):
        own = [amount for id, amount in (*before, *after) if id in side]
        assert exactly(profiles.read(side[0])) == sum_of(own)


@pytest.mark.parametrize("ids", ["AAAAAA", "ABABAB", "ABCDAB"])
def test_six_payments_make_exactly_100_and_0_when_they_are_taken_back(ids: str) -> None:
    profiles = Stored(IDS)
    for clock, (id, amount) in enumerate(zip(ids, SIX, strict=True), 10):
        profiles.commit(id, [Increment(SPENT, amount)], clock)
    profiles.join_all(IDS)
    assert profiles.read("A")["traits"] == {"spent": 100}
    for clock, amount in enumerate(SIX, 30):
        profiles.commit("A", [Increment(SPENT, -amount)], clock)
    assert profiles.read("A")["traits"] == {"spent": 0}


LARGE, SMALL = 123_456_789_012_345, 0.000_000_000_012_345


@pytest.mark.parametrize(("op", "number", "sums"), [
    pytest.param(Increment(SPENT, -LARGE), SMALL, {}, id="an increment that leaves few digits"),
    pytest.param(Increment(SPENT, 1), LARGE + 1.0, {SPENT: "123456789012346.000000000012345"}, id="another increment"),
    pytest.param(Set(SPENT, 5), 5, {}, id="a set"),
    pytest.param(Set(("traits",), {"spent": 7}), 7, {}, id="a set above"),
    pytest.param(Unset(SPENT), None, {}, id="an unset"),
    pytest.param(Set(NAME, "Ann"), LARGE + 0.0, {SPENT: "123456789012345.000000000012345"}, id="a set of another path"),
    pytest.param(Add(NAME, "x"), LARGE + 0.0, {SPENT: "123456789012345.000000000012345"}, id="an add"),
    pytest.param(Count("n", 1, 1), LARGE + 0.0, {SPENT: "123456789012345.000000000012345"}, id="a count"),
])  # fmt: skip
def test_a_view_keeps_the_exact_sum_that_it_shows_rounded_until_it_is_replaced(
    op: Operation, number: float | None, sums: dict[tuple[str, ...], str]
) -> None:
    rounded = change(change({}, Increment(SPENT, LARGE)), Increment(SPENT, SMALL))
    assert isinstance(rounded, RoundedView)
    assert rounded["traits"] == {"spent": LARGE}
    after = change(rounded, op)
    assert after.get("traits", {}).get("spent") == number
    assert sums_of(after) == sums


def test_whole_numbers_of_any_length_are_added_exactly() -> None:
    profiles = Stored("AB")
    profiles.commit("A", [Increment(SPENT, 10**30 + 1)], 10)
    profiles.commit("B", [Increment(SPENT, 2**63), Increment(SPENT, 0.25), Increment(SPENT, 0.75)], 11)
    profiles.join_all("AB")
    assert profiles.read("A")["traits"]["spent"] == 10**30 + 2**63 + 2


@pytest.mark.parametrize("by", [COUNT_LIMIT, -COUNT_LIMIT, 1e300, LEAST_AMOUNT / 2, -1e-300])
def test_an_amount_with_too_many_digits_is_refused(by: float) -> None:
    with pytest.raises(Refused, match=r"traits\.spent"):
        change({"traits": {"spent": 1}}, Increment(SPENT, by))


def test_a_sum_that_would_have_too_many_digits_is_refused() -> None:
    with pytest.raises(Refused, match=r"`traits\.spent` would be too large to count"):
        change({"traits": {"spent": COUNT_LIMIT - 1}}, Increment(SPENT, 1.5))


def test_a_sum_of_an_old_document_stays_as_it_was_shown() -> None:
    old = (
        b'{"id":"A","created":1,"parts":{"A":{"id":"A","created":1,"counts":{"traits.spent":[1,2,99.99999999999999]}}}}'
    )
    profiles = Stored("A")
    profiles.documents["A"] = decode_profile(old)
    assert profiles.read("A") == {"traits": {"spent": 99.99999999999999}}
    profiles.commit("A", [Increment(SPENT, 0.00000000000001)], 5)
    assert profiles.read("A") == {"traits": {"spent": 100}}

import pytest
from msgspec import structs

from engine.profile.apply import apply_operations
from engine.profile.fold import fold
from engine.profile.recent import MAX_RECENT
from nodes.branch.deduplicate import Deduplicate
from tests.nodes.build import NOW, node_context, stored_profile

DAY = 86_400_000


def coming(values, times=None, name=None):
    """The ports at which values leave that come with a profile at some times, and the profile afterwards."""
    profile, ports = stored_profile(), []
    for i, value in enumerate(values):
        now = NOW + (times[i] if times else i)
        context = structs.replace(node_context(profile), now=now, place="f.new")
        outcome = Deduplicate(value=value, within=DAY, name=name).run(context)
        ports.append(outcome.port)
        profile, _ = apply_operations(profile, "p-ann", outcome.effects, now)
    return ports, profile


@pytest.mark.parametrize("value", ["o-1", 1, 1.5, True, None, ["a"], {"a": 1}, "\ud800"])
def test_the_same_value_is_a_repeat(value):
    assert coming([value, value, "another"])[0] == ["first", "repeat", "first"]


def test_values_of_different_kinds_differ():
    assert coming([1, "1", True, "true", None, "null"])[0] == ["first"] * 6


def test_a_repeat_does_not_extend_the_time():
    assert coming(["o"] * 4, [0, DAY - 1, DAY, DAY + 1])[0] == ["first", "repeat", "first", "repeat"]


def test_the_profile_keeps_a_hash_only():
    _, profile = coming(["secret"], name="orders")
    assert fold(profile)["recent"].keys() == {"orders"}
    assert "secret" not in str(fold(profile))


def test_too_many_values_leave_by_failed():
    ports, _ = coming([str(i) for i in range(MAX_RECENT + 1)])
    assert ports == ["first"] * MAX_RECENT + ["failed"]


def test_without_a_profile_it_leaves_by_failed():
    assert Deduplicate(value="o", within=DAY).run(node_context()).port == "failed"

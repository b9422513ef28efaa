"""The time changes of a condition, compared with its result at every millisecond."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.language.buckets import DAY_MS, HOUR_MS, MINUTE_MS, key
from engine.language.expression import compile_condition
from engine.language.moment import date
from engine.language.time_changes import next_time, time_changes_of
from engine.problem import ProblemError

NOON = 1_714_564_800_000  # 2024-05-01T12:00:00Z
FAR = 60  # ms that are evaluated one by one

numbers = st.sampled_from([
    "now", "profile.traits.a", "profile.traits.b", "7", "-3", "0.5", "(now - profile.traits.a)", "(now - 5) / 3",
    "(now - profile.traits.b) * 0.5", "(now + 4 - profile.traits.a) // 7", "((now - 3) / 9) | int", "2 * now",
    "(now / 4) | round", "(profile.traits.a | default(11))", "(now if profile.traits.c else now - 9)", "(0 - now)",
    "(profile.traits.a - now) // 4", "((profile.traits.b - now) / 7) | int", "-now", "now | float", "profile.traits.no",
])  # fmt: skip
signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
comparisons = st.builds("{} {} {}".format, numbers, signs, numbers)
conditions = st.recursive(
    st.one_of(
        comparisons, st.just("profile.traits.c"), st.builds("{0} < {1} <= {2}".format, numbers, numbers, numbers)
    ),
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("(({}) is defined)".format, inner),
    ),
    max_leaves=4,
)
values = st.one_of(st.integers(-5, 40), st.sampled_from(["text", None, True, 12.25, 3.1]))


@example("-3 < (profile.traits.a - now) // 4", {"a": 0}, 0)  # rounds down, and goes down
@example("(now / 4 - profile.traits.a) | int < 0", {"a": 5}, 0)  # rounds up, and goes up
@given(conditions, st.fixed_dictionaries({"a": values, "b": values, "c": values}), st.integers(-3, 20))
def test_a_condition_does_not_change_between_its_time_changes(text, traits, now):
    condition = compile_condition(text)
    changes = time_changes_of(condition)
    scope = {"profile": {"traits": traits}, "now": now}
    before, following = condition.test(scope), next_time(changes, scope)
    for moment in range(now + 1, now + FAR):
        if moment == following:
            following = next_time(changes, {**scope, "now": moment})
            assert following is None or following > moment
        else:
            assert condition.test({**scope, "now": moment}) == before
        before = condition.test({**scope, "now": moment})


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut")
local = st.sampled_from([
    "now | format_date('%d') == '01'", "now | format_date('%H:%M') >= '02:30'", "now | format_date('%u') == '7'",
    "now | format_date('%H', profile.traits.zone) == '02'", "now | format_date('%z') == '+0200'",
    "start_of('day', now) > profile.traits.at", "start_of('week', now, profile.traits.zone) >= profile.traits.at",
    "now - start_of('day', now) < hours(3)", "start_of('hour', now + minutes(30)) != start_of('hour', now)",
    "start_of('month', now) == profile.traits.at", "now | format_date('%H') | int < 3", "start_of('year', now) > 5",
    "start_of('day', profile.traits.at) < now - days(1)",
])  # fmt: skip
# A little before and after clock changes of 2026 in these zones, in each of which they are on other days.
clock_changes = st.sampled_from(["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-25", "2026-11-01", "2026-10-04"])


@given(local, st.sampled_from(ZONES), st.sampled_from(ZONES), clock_changes, st.integers(0, 86_399_999))
def test_what_depends_on_local_time_changes_only_at_its_time_changes(text, timezone, zone, day, ms):
    condition = compile_condition(text)
    changes = time_changes_of(condition)
    now = date(f"{day}T00:00:00Z") + ms - DAY_MS // 2
    traits = {"zone": zone, "at": date(f"{day}T00:00:00Z", zone)}
    scope = {"profile": {"traits": traits}, "now": now, "timezone": timezone}
    before, following = condition.test(scope), next_time(changes, scope)
    first = now - now % (5 * MINUTE_MS)
    for boundary in range(first + 5 * MINUTE_MS, first + 2 * DAY_MS, 5 * MINUTE_MS):
        for moment in (boundary - 1, boundary):
            while following is not None and following <= moment:
                before = condition.test({**scope, "now": following})
                following = next_time(changes, {**scope, "now": following})
            assert condition.test({**scope, "now": moment}) == before


windowed = st.sampled_from(
    [
        "counted('n', '2m') > 1",
        "counted('n', '90m') == 0",
        "counted('n', '3h') >= 2",
        "counted('m', '1d') > counted('n', '1d')",
        "counted('n', '5m') + counted('m', '5m') < 2",
        "counted('n', '9d') > 2 and counted('m', '1m') == 0",
        "counted('n', '1d') / 2 > 1",
        "min(counted('n', '1d'), 2) == 2",
    ]
)
counters = st.dictionaries(
    st.integers(0, 20 * 24 * 60).map(lambda minutes: key(NOON - minutes * MINUTE_MS)), st.integers(-1, 3), max_size=6
)


@given(windowed, counters, counters)
def test_counts_change_only_at_their_time_changes(text, n, m):
    condition = compile_condition(text)
    changes = time_changes_of(condition)
    scope = {"profile": {"counters": {"n": n, "m": m}}, "now": NOON}
    following = next_time(changes, scope)
    before = condition.test(scope)
    for moment in sorted({NOON + 60_000 * i + d for i in range(1, 70) for d in (-1, 0)}
                         | {NOON + HOUR_MS * i + d for i in range(1, 30) for d in (-1, 0)}
                         | {NOON + DAY_MS * i + d for i in range(1, 12) for d in (-1, 0)}):  # fmt: skip
        while following is not None and following <= moment:
            before = condition.test({**scope, "now": following})
            following = next_time(changes, {**scope, "now": following})
        assert condition.test({**scope, "now": moment}) == before


@pytest.mark.parametrize(("text", "moment"), [
    pytest.param("profile.metadata.last_seen < now - days(30)", NOON - DAY_MS + 30 * DAY_MS + 1, id="last seen"),
    pytest.param("(now - profile.metadata.last_seen) / days(1) >= 30", NOON - DAY_MS + 30 * DAY_MS, id="in days"),
    pytest.param("(now - profile.metadata.last_seen) // 86400000 > 29", NOON - DAY_MS + 30 * DAY_MS, id="whole days"),
    pytest.param("now | format_date('%m-%d') == '05-02'", NOON + DAY_MS // 2, id="a day of the year"),
    pytest.param("now | format_date('%H') >= '14'", NOON + 2 * HOUR_MS, id="an hour of the day"),
    pytest.param("now | format_date('%d', 'America/New_York') == '02'", NOON + 16 * HOUR_MS, id="a day elsewhere"),
    pytest.param("start_of('day', now, 'Asia/Kathmandu') > now - hours(2)", NOON + DAY_MS // 4 + MINUTE_MS * 15,
                 id="the start of a day elsewhere"),
    pytest.param("now | format_date('%H', profile.traits.name) == '02'", None, id="a zone that is none"),
    pytest.param("profile.traits.name == 'Ann'", None, id="nothing of time"),
    pytest.param("profile.metadata.last_seen > now - hours(1)", None, id="over for good"),
    pytest.param("profile.traits.absent < now - days(30)", None, id="absent"),
    pytest.param("changed_at('traits.tier') < now - days(1)", None, id="never written"),
])  # fmt: skip
def test_the_moment_at_which_a_condition_changes_is_computed(text, moment):
    condition = compile_condition(text)
    changes = time_changes_of(condition)
    scope = {"profile": {"metadata": {"last_seen": NOON - DAY_MS}, "traits": {"name": "Ann"}}, "now": NOON}
    before, at = condition.test(scope), scope["now"]
    for _ in range(100):
        following = next_time(changes, {**scope, "now": at})
        if following is None or condition.test({**scope, "now": following}) != before:
            break
        at = following
    assert following == moment


@pytest.mark.parametrize(("text", "message"), [
    pytest.param("now", "is always true", id="bare"),
    pytest.param("not now", "the next change of this use", id="negated"),
    pytest.param("now % 2 == 0", "`%` on `now`", id="remainder"),
    pytest.param("now * profile.traits.a > 5", "`*` on `now`", id="times something unknown"),
    pytest.param("7 / now > 5", "`/` on `now`", id="divided by time"),
    pytest.param("now * now > 5", "`*` on `now`", id="squared"),
    pytest.param("now / 0 > 5", "`/` on `now`", id="divided by zero"),
    pytest.param("(now | abs) > 5", "`abs` of `now`", id="a function"),
    pytest.param("min(now, profile.traits.a) > 5", "`min` of `now`", id="the smaller"),
    pytest.param("(now | round(2)) > 5", "`round` of `now`", id="digits"),
    pytest.param("now in profile.traits.times", "looked for", id="in a list"),
    pytest.param("(profile.traits.at | default(now)) > 5", "depends on `now`", id="fallback"),
    pytest.param("(now ~ '') == '5'", "the next change of this use", id="as text"),
    pytest.param("(now * 2) | format_date('%H') == '5'", "`format_date` of `now`", id="a moment that runs faster"),
    pytest.param("'2024-05-01' | date(now ~ '') > 5", "the next change of this use", id="as a zone"),
    pytest.param("profile.traits[now] == 5", "the next change of this use", id="as a key"),
])  # fmt: skip
def test_a_condition_whose_changes_cannot_be_computed_is_refused(text, message):
    with pytest.raises(ProblemError) as refused:
        time_changes_of(compile_condition(text))
    assert message in refused.value.problem.message
    assert refused.value.problem.code == "H211"

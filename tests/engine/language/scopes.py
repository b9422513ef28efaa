"""A scope for the tests of this folder, and strategies for random scopes and expressions."""

from typing import Any

from hypothesis import strategies as st

SCOPE: dict[str, Any] = {
    "event": {
        "type": "order-paid",
        "properties": {
            "total": 5,
            "price": 2.5,
            "name": "Ann",
            "empty": "",
            "nothing": None,
            "yes": True,
            "no": False,
            "zero": 0,
            "order-id": "o-1",
            "tags": ["new", "gift"],
            "numbers": [3, 1, 2],
            "items": [{"sku": "a", "price": 1}, {"sku": "b", "price": 2}],
            "none_at_all": [],
            "key": "city",
            "address": {"city": "Wrocław", "zip": "50-001"},
        },
    },
    "profile": {"id": "p-1", "traits": {"revenue": 620, "plan": "gold"}, "segments": ("big", "vip")},
    "session": None,
    "nodes": {"crm": {"out": {"tier": "gold"}}},
    "now": 1_700_000_000_000,
}

json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcdef"), inner, max_size=3),
    max_leaves=8,
)

scopes = st.fixed_dictionaries(
    {},
    optional={
        "event": json_data,
        "profile": st.none() | st.dictionaries(st.sampled_from("ab"), json_data, max_size=2),
        "session": st.none(),
        "now": st.integers(0, 2**45),
    },
)

_leaf = st.sampled_from(
    [
        *(
            "event",
            "event.a",
            "event.b",
            "profile.a",
            "profile.b.c",
            "session.a",
            "event.a[0]",
            "event.a[event.b]",
            "now",
        ),
        *("1", "0", "2.5", "'a'", "''", "true", "false", "[]", "['a', 1]", "{'a': event.a}", "[event.a, event.b]"),
    ]
)

expressions = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from([*"+-*/%~", "//", "and", "or"]), inner),
        st.builds(
            "({} {} {})".format, inner, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]), inner
        ),
        st.builds("({} < {} != {})".format, inner, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
        st.builds("({} is {})".format, inner, st.sampled_from(["defined", "not defined", "none", "not none"])),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({} | default({}))".format, inner, inner),
        st.builds(
            "({} | {})".format,
            inner,
            st.sampled_from(
                [
                    *("lower", "upper", "title", "trim", "truncate(2)", "replace('a', 'bb')", "split('a')", "split"),
                    *("starts_with('a')", "matches('a+')", "string", "json", "hash", "urlencode", "length", "first"),
                    *("last", "slice(0, 1)", "slice(1)", "join(',')", "min", "max", "sum", "sort", "unique", "keys"),
                    *("values", "round", "round(2)", "int", "float", "abs", "date", "format_date('%Y-%m')"),
                    *("date('Europe/Berlin')", "format_date('%H %z', 'America/New_York')"),
                ]
            ),
        ),
        st.builds("min({}, {})".format, inner, inner),
        st.builds("days({})".format, inner),
        st.builds("start_of('{}', {})".format, st.sampled_from(["hour", "week"]), inner),
    ),
    max_leaves=6,
).filter(lambda text: _depth(text) <= 10)


def _depth(text: str) -> int:
    deepest = depth = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    return deepest

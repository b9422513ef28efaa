import pytest
from msgspec import structs

from nodes.state.get import StateGet
from tests.nodes.build import node_context


def outcome(key: str, default: object = None, state: dict[str, object] | None = None) -> tuple[str, object]:
    found = StateGet(key=key, default=default).run(structs.replace(node_context(), task_state=state))
    return found.port, found.out


@pytest.mark.parametrize(
    ("default", "state", "expected"),
    [
        (None, {"cursor": 7}, ("found", 7)),
        ("2026", {"cursor": 7}, ("found", 7)),
        ("2026", {}, ("found", "2026")),
        (None, {}, ("missing", None)),
        (None, {"cursor": 0}, ("found", 0)),
        ("2026", None, ("failed", None)),
    ],
)
def test_a_value_counts_before_the_default(default, state, expected):
    assert outcome("cursor", default, state) == expected


@pytest.mark.parametrize("key", ["", " ", "k" * 201], ids=["empty", "blank", "too long"])
def test_an_invalid_key_leaves_by_failed(key):
    assert outcome(key, 1, {}) == ("failed", None)

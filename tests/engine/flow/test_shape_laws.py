"""Properties of compiling for documents of any shape: it never raises, and every problem leads into the document."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.compile import compile_flow
from engine.flow.names import ProjectNames
from nodes import builtin
from tests.fast import cases

WORDS = [
    *("flow", "trigger", "nodes", "event", "when", "next", "retry", "times", "start", "consents", "profile", "source"),
    *("on", "triggers", "steps", "tasks", "name", "id", "type", "config", "with", "action", "condition", "if", "then"),
    *("else", "goto", "on_error", "needs", "switch", "let", "respond", "log", "segment.add", "profile.set", "cron"),
    *("lookup.http", "target", "url", "key", "value", "a", "b", "failed", "default", "webhook", "platform", "path"),
]
SCALARS = st.sampled_from([*WORDS, None, 5, 1.5, True, "", "x > 1", "{{ event.id }}", "traits.a", "3s"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)),
    max_leaves=12,
)
IDS = st.sampled_from(["a", "b", "c", "log", "next", "nodes"])
TARGETS = st.one_of(
    IDS, st.lists(IDS, max_size=2), st.dictionaries(st.sampled_from(["then", "id", "failed"]), IDS), VALUES
)
KEYS_OF_EDGES = ["next", "nxt", "goto", "on_error", "needs", "then", "else"]
NODES = st.builds(
    lambda config, edges, more: {**more, **config, **edges},
    st.dictionaries(
        st.sampled_from(
            ["log", "respond", "if", "switch", "segment.add", "profile.set", "lookup.http", "type", "wait"]
        ),
        st.one_of(
            VALUES, st.dictionaries(st.sampled_from(["next", "when", "retry", "key", "value", "traits.a"]), TARGETS)
        ),
        max_size=2,
    ),
    st.dictionaries(st.sampled_from(KEYS_OF_EDGES), TARGETS, max_size=2),
    st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=1),
)
DOCUMENTS = st.one_of(
    st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=6),
    st.fixed_dictionaries(
        {"nodes": st.one_of(st.lists(NODES, max_size=3), st.dictionaries(IDS, NODES, min_size=1))},
        optional={"flow": st.just("a"), "trigger": VALUES, "on": VALUES, "start": TARGETS},
    ),
)
REGISTRY = builtin()


def exists(document: Any, path: tuple[str | int, ...]) -> bool:
    """Whether all steps of a key path but the last lead into the document: the last may be a missing key."""
    for step in path[:-1]:
        try:
            document = document[step]
        except (LookupError, TypeError):
            return False
    return True


@given(DOCUMENTS)
@settings(max_examples=cases(500), deadline=None)
def test_a_document_of_any_shape_is_compiled_or_has_problems_inside_it(document: dict[str, Any]) -> None:
    flow, problems = compile_flow(document, ProjectNames(), REGISTRY)
    assert flow is not None or any(problem.severity == "error" for problem in problems)
    assert [problem for problem in problems if not exists(document, problem.path)] == []

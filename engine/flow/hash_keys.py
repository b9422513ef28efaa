"""Checks of the names of hash keys in expressions."""

from collections.abc import Iterator

from engine.flow.names import ProjectNames
from engine.language.expression import Condition, Expression
from engine.language.hidden import HASH_KEYS
from engine.language.tree import Call, Tree, children
from engine.problem import KeyPath, Problem


def unknown_hash_keys(at: KeyPath, use: Condition | Expression, names: ProjectNames) -> Iterator[Problem]:
    """Yield the problem of each hash key that the project does not have; `at` is the place of the text."""
    for call in _keyed_calls(use.tree):
        problem = names.problem("hash key", call.prepared)
        if problem is not None:
            start, end = call.at
            name = use.text.find(call.prepared, start, end)
            yield Problem(
                code=problem.code,
                message=problem.message,
                path=at,
                offset=start if name < 0 else name,
                length=end - start if name < 0 else len(call.prepared),
                help=problem.help,
            )


def _keyed_calls(tree: Tree) -> Iterator[Call]:
    if isinstance(tree, Call) and tree.function.hidden == HASH_KEYS:
        yield tree
    for part, _ in children(tree):
        yield from _keyed_calls(part)

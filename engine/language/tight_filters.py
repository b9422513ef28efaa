"""Filters that apply to the last operand alone, where the author probably meant the whole: `a / 1.19 | round(2)`."""

from collections.abc import Iterator

from engine.language.kinds import LIST, Kinds, Shapes, choices_of, kinds_of
from engine.language.probe import failure_of
from engine.language.refusal import TIGHT_FILTER, finding, written
from engine.language.signature import prepared_last
from engine.language.tree import Arithmetic, Call, Constant, Default, Joined, Tree
from engine.problem import Problem

_OF_OPERANDS = frozenset({"date", "string", "json", "urlencode"})  # these prepare an operand
_CONVERTING = frozenset({"int", "float"})


def tight_filters(tree: Arithmetic | Joined, text: str, shapes: Shapes) -> Iterator[Problem]:
    """Yield the warning about a filter behind the last operand. `tree` is not itself the last operand of another."""
    sign, call = _last(tree, text)
    if call is None or not _fits_whole(tree, sign, call, shapes):
        return
    operand = _base(call)
    filters = text[operand.at[1] : call.at[1]].strip()
    if filters.startswith(")"):
        return
    value = written(text, operand.at)
    message = f"`{filters}` applies to `{value}` alone: a filter binds tighter than `{sign}`"
    help = f"write `({text[tree.at[0] : operand.at[1]]}) {filters}`"
    if not isinstance(operand, Constant):
        help += f"; if only `{value}` is meant, `({text[call.at[0] : call.at[1]]})`"
    yield finding(TIGHT_FILTER, message, call.at, help, "warning")


def _last(tree: Tree, text: str) -> tuple[str, Call | None]:
    """Return the last operand if it is a filter without parentheses, and the sign before it."""
    sign = ""
    while isinstance(tree, Arithmetic | Joined):
        before, last = (tree.left, tree.right) if isinstance(tree, Arithmetic) else tree.parts[-2:]
        sign = tree.sign if isinstance(tree, Arithmetic) else "~"
        if "(" in text[before.at[1] : last.at[0]]:
            return sign, None
        tree = last
    return sign, tree if isinstance(tree, Call) and tree.function.piped else None


def _base(call: Call) -> Tree:
    """Return the value before all filters."""
    tree: Tree = call
    while (isinstance(tree, Call) and tree.function.piped) or isinstance(tree, Default):
        tree = tree.of if isinstance(tree, Default) else tree.arguments[0]
    return tree


def _fits_whole(tree: Arithmetic | Joined, sign: str, call: Call, shapes: Shapes) -> bool:
    """Return whether the filter could be meant for the whole: it can be applied to it, and changes it."""
    name, operand = call.function.name, _base(call)
    if name in _OF_OPERANDS or (name == "float" and not isinstance(operand, Constant)):
        return False
    before = tree.left if isinstance(tree, Arithmetic) else tree.parts[-2]
    if isinstance(before, Call) and before.function.name == name and name in _CONVERTING:
        return False
    of_list = _accepts(call, LIST, shapes)
    if sign == "+" and of_list and kinds_of(tree, shapes) != LIST:
        return False
    return _accepts(call, kinds_of(tree, shapes), shapes)


def _accepts(call: Call, kinds: Kinds | None, shapes: Shapes) -> bool:
    if kinds is not None and not kinds:
        return False
    choices = (kinds, *choices_of(call, shapes)[1:])
    return failure_of(prepared_last(call.function), choices, prepared=call.prepared is not None) is None

"""Calls and operators that fail for all data: a literal argument that does not fit, or a kind that is always wrong."""

import re
from collections.abc import Iterator
from typing import Any, Final

from engine.language.absent import Unfit
from engine.language.functions import FILTERS
from engine.language.kinds import NUMBER, TEXT, Shapes, choices_of, kinds_of
from engine.language.operators import ARITHMETIC
from engine.language.probe import failure_of, probed_kinds
from engine.language.refusal import FAILING_CALL, PLUS_FOR_TEXT, balanced, finding, written
from engine.language.signature import prepared_last
from engine.language.tree import Arithmetic, Call, Constant
from engine.problem import Problem

_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
# The letters of other languages' date patterns -> ours, longest first.
_LETTERS: Final = {
    "YYYY": "%Y", "yyyy": "%Y", "YY": "%y", "yy": "%y", "MM": "%m", "DD": "%d", "dd": "%d",
    "HH": "%H", "hh": "%H", "mm": "%M", "ss": "%S", "SS": "%S", "Y": "%Y", "m": "%m", "d": "%d", "H": "%H", "i": "%M",
}  # fmt: skip
_LETTER: Final = re.compile("|".join(_LETTERS))


def failing_call(tree: Call, text: str, shapes: Shapes) -> Iterator[Problem]:
    """Yield the error of a call that fails for all data, or of a date pattern without a directive."""
    function = tree.function
    failure = failure_of(prepared_last(function), choices_of(tree, shapes), prepared=tree.prepared is not None)
    if failure is not None:
        cause = tree.arguments[failure.argument]
        help = _remedy(tree, failure.argument, text, shapes)
        yield finding(FAILING_CALL, f"{failure.reason}: this fails for all data", cause.at, help)
    elif function.name == "format_date" and isinstance(tree.prepared, tuple):
        yield from _pattern(tree, "".join(tree.prepared), text)


def failing_arithmetic(tree: Arithmetic, text: str, shapes: Shapes) -> Iterator[Problem]:
    """Yield the error of an operator that fails for all data."""
    operands = (tree.left, tree.right)
    choices = [part if isinstance(part, Constant) else kinds_of(part, shapes) for part in operands]
    failure = failure_of(ARITHMETIC[tree.sign], choices)
    if failure is None:
        yield from _joined_by_plus(tree, choices, text)
        return
    left, right = (written(text, part.at) for part in operands)
    help = ""
    if tree.sign == "+" and TEXT in (kinds_of(tree.left, shapes), kinds_of(tree.right, shapes)):
        help = f"to join texts, write `{_with_sign(tree, '~', text)}`"
    elif tree.sign == "%" and isinstance(tree.left, Constant) and isinstance(tree.left.value, str):
        help = f"to join texts, write `{_filled(tree.left.value, right)}`"
    elif "by zero" in failure.reason:
        help = "divide by another number"
    elif tree.sign != "+":
        help = f"to read a text as a number, write `({left} | float) {tree.sign} {right}`"
        if kinds_of(tree.left, shapes) == NUMBER:
            help = f"to read a text as a number, write `{left} {tree.sign} ({right} | float)`"
    yield finding(FAILING_CALL, f"{failure.reason}: this fails for all data", tree.at, help)


def _filled(pattern: str, value: str) -> str:
    """Return the text of `'a %s b' % value` with `~`."""
    before, _, behind = pattern.replace("%d", "%s").partition("%s")
    return " ~ ".join([*([f"'{before}'"] if before else []), value, *([f"'{behind}'"] if behind else [])])


def _joined_by_plus(tree: Arithmetic, choices: list[Any], text: str) -> Iterator[Problem]:
    """Yield a warning about a literal text that is added to a value of any kind: for a number that fails."""
    literal = next((choice for choice in choices if isinstance(choice, Constant)), None)
    if tree.sign == "+" and literal is not None and isinstance(literal.value, str) and None in choices:
        message = "`+` joins two texts only: with a number, this fails"
        help = f"write `{_with_sign(tree, '~', text)}`, which joins values of any kind"
        yield finding(PLUS_FOR_TEXT, message, tree.at, help, "warning")


def _with_sign(tree: Arithmetic, sign: str, text: str) -> str:
    """Return the text of an operation with another sign."""
    start, end = balanced(text, tree.at)
    at = text.index(tree.sign, tree.left.at[1], tree.right.at[0])
    return f"{text[start:at]}{sign}{text[at + len(tree.sign) : end]}"


def _pattern(tree: Call, pattern: str, text: str) -> Iterator[Problem]:
    if any(part[0] == "%" and part != "%%" for part in tree.prepared):
        return
    message = f"the pattern has no directive such as %Y, so the result is always the text `{pattern}`"
    ours = _LETTER.sub(lambda letters: _LETTERS[letters[0]], pattern)
    remedy = f"write `format_date('{ours}')`" if "%" in ours else "write e.g. `format_date('%Y-%m-%d')`"
    at = text.rfind("format_date", *tree.at)
    yield finding(FAILING_CALL, message, (at, tree.at[1]), remedy)


def _remedy(tree: Call, index: int, text: str, shapes: Shapes) -> str:
    """Return the remedy for an argument: the same call with a literal or a filter that fits, else the usage."""
    cause = tree.arguments[index]
    before, source, after = text[tree.at[0] : cause.at[0]], text[slice(*cause.at)], text[cause.at[1] : tree.at[1]]
    if isinstance(cause, Constant):
        for value, literal in _rewritten(cause.value):
            if _fits(tree, index, value):
                return f"write `{before}{literal}{after}`"
    for name in ("date", "float", "string") if index == 0 and tree.function.piped else ():
        if name != tree.function.name and _converts(tree, name, shapes):
            return f"write `{before}{source} | {name}{after}`"
    if tree.function.name == "date":
        return "a time is written as `'2024-05-01'` or `'2024-05-01T12:00:00Z'`"
    return f"its form is `{tree.function.usage}`"


def _rewritten(value: Any) -> Iterator[tuple[Any, str]]:
    """Yield other literals that the author may have meant, each with its text."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        yield float(value) if "." in value else int(value), value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value), f"'{value}'"


def _fits(tree: Call, index: int, value: Any) -> bool:
    """Return whether the call can succeed with another argument at `index`: a literal, or kinds."""
    choices: list[Any] = [part if isinstance(part, Constant) else None for part in tree.arguments]
    choices[index] = value if isinstance(value, frozenset) else Constant(tree.at, value)
    choices += [] if tree.prepared is None else [Constant(tree.at, tree.prepared)]
    return failure_of(prepared_last(tree.function), choices, prepared=tree.prepared is not None) is None


def _converts(tree: Call, name: str, shapes: Shapes) -> bool:
    """Return whether the filter `name` turns the piped value into one that the call accepts."""
    piped = tree.arguments[0]
    if not isinstance(piped, Constant):
        converted = probed_kinds(FILTERS[name], (kinds_of(piped, shapes),))
        return name != "date" and converted is not None and _fits(tree, 0, converted)
    try:
        return _fits(tree, 0, FILTERS[name].call(piped.value))
    except Unfit:
        return False

"""Clocks: when a condition may change by the passing of time alone.

A condition reads time by `now`, and by functions such as `counted`. What it makes of `now` must be *linear* wherever it
is compared: a number that grows by the same slope each millisecond, such as `now - profile.traits.at`. Then the moment
of each crossing can be worked out, and between those moments nothing changes. Whatever else is made of `now` has no
such moments, and is refused: a condition that is judged on time could not be planned.

A clock may be early, and is never late: whoever asks looks at the condition again at that time.
"""

from collections.abc import Callable
from math import ceil, floor
from typing import Any, Final

from engine.language.absent import Unusable
from engine.language.compiler import Compiler
from engine.language.expression import Condition
from engine.language.operators import is_number
from engine.language.path import Scope
from engine.language.readers import Evaluate, PlainReader
from engine.language.refusal import Span, refusal
from engine.language.tree import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Default,
    Derivation,
    Path,
    Presence,
    Tree,
    children,
)

TimeChange = Callable[[Scope], int | None]  # the next moment after the scope's `now`; None when there is none
Number = int | float

UNPLANNABLE: Final = "H211"
MAX_AHEAD: Final = 10**14  # ms, three thousand years: what lies further ahead is never

_REMEDY: Final = "compare `now` with a time: `profile.traits.at < now - days(30)`, or count: `counted('orders', '30d')`"
_DAY: Final = 86_400_000
_WIDTHS: Final = {"%S": 1_000, "%M": 60_000, "%H": 3_600_000}  # of what a directive shows; the others show days


def time_changes_of(condition: Condition) -> tuple[TimeChange, ...]:
    """The changes of a condition; none when time alone never changes it. Raises `ProblemError` (H211)."""
    reading = _Reading(condition.source)
    if reading.slope(condition.tree):
        raise _refused("`now` is always true: compare it with something", condition.tree.at)
    return tuple(reading.changes)


def next_time(changes: tuple[TimeChange, ...], scope: Scope) -> int | None:
    """The next moment of several changes."""
    return min((moment for clock in changes if (moment := clock(scope)) is not None), default=None)


class _Reading:
    """Walks a tree: gives each part's slope, and gathers the changes."""

    def __init__(self, text: str) -> None:
        self.compiler = Compiler(text, PlainReader(), lenient=True)
        self.changes: list[TimeChange] = []

    def slope(self, tree: Tree) -> Number:
        """By how much the part grows each millisecond, between the moments of the changes."""
        match tree:
            case Path(path=path):
                return 1 if path == ("now",) else 0
            case Derivation(derived=derived):
                if derived.next is not None:
                    self.changes.append(derived.next)
                return 0
            case Arithmetic():
                return self._arithmetic(tree)
            case Comparison():
                return self._comparison(tree)
            case Presence(of=of):
                self.slope(of)  # whether it is there is no matter of time
                return 0
            case Choice(when=when, then=then, otherwise=otherwise):
                self._steady(when)
                return self._alike(then, otherwise)
            case Default(of=of, fallback=fallback):
                return self._alike(of, fallback)
            case Call():
                return self._call(tree)
        for part, _ in children(tree):
            self._steady(part)
        return 0

    def _steady(self, tree: Tree) -> None:
        if self.slope(tree):
            raise _refused("this cannot be planned: what it makes of `now` changes at no foreseeable moment", tree.at)

    def _alike(self, one: Tree, other: Tree) -> Number:
        slope = self.slope(one)
        if slope != self.slope(other):
            raise _refused("this cannot be planned: one side goes with `now`, the other does not", other.at)
        return slope

    def _comparison(self, tree: Comparison) -> Number:
        operands = (tree.first, *(part for _, part in tree.rest))
        slopes = [self.slope(part) for part in operands]
        for i, (sign, right) in enumerate(tree.rest):
            slope = slopes[i] - slopes[i + 1]
            if sign in {"in", "notin"}:
                self._none(operands[i], slopes[i])
                self._none(right, slopes[i + 1])
            elif slope:
                self.changes.append(_crossing(self._number(operands[i]), self._number(right), slope))
        return 0

    def _none(self, tree: Tree, slope: Number) -> None:
        if slope:
            raise _refused("this cannot be planned: `now` is looked for, not compared", tree.at)

    def _arithmetic(self, tree: Arithmetic) -> Number:
        left, right = self.slope(tree.left), self.slope(tree.right)
        if tree.sign == "+":
            return left + right
        if tree.sign == "-":
            return left - right
        if not (left or right):
            return 0
        by = self._literal(tree.left if right and tree.sign == "*" else tree.right)
        if by and not (left and right) and (left or tree.sign == "*"):
            if tree.sign == "*":
                return (left or right) * by
            if tree.sign == "/":
                return left / by
            if tree.sign == "//":
                self.changes.append(_stepping(self._number(tree.left), left, abs(by)))
                return 0
        raise _refused(f"this cannot be planned: `{tree.sign}` on `now`", tree.at)

    def _call(self, tree: Call) -> Number:
        slopes = [self.slope(part) for part in tree.arguments]
        if not any(slopes):
            return 0
        name, slope, value = tree.function.name, slopes[0], self._number(tree.arguments[0])
        if name == "float":
            return slope
        if name == "int":
            self.changes.append(_stepping(value, slope, 1))
        elif name == "round" and len(slopes) == 1:
            self.changes.append(_stepping(value, slope, 0.5))
        elif name == "format_date" and slope == 1:
            parts = [part for part in tree.prepared if part[0] == "%" and part != "%%"]
            self.changes += [_stepping(value, slope, width) for width in {_WIDTHS.get(part, _DAY) for part in parts}]
        else:
            raise _refused(f"this cannot be planned: `{name}` of `now`", tree.at)
        return 0

    def _number(self, tree: Tree) -> Evaluate:
        """The part's value where it is a number, else None."""
        evaluate = self.compiler.operand(tree)

        def number(scope: Scope) -> Any:
            try:
                value = evaluate(scope)
            except Unusable:
                return None
            return value if is_number(value) else None

        return number

    def _literal(self, tree: Tree) -> Number | None:
        """The number that a part is whatever happens; None when it is none."""
        if any(_reads(part) for part in _all(tree)):
            return None
        value: Number | None = self._number(tree)({})
        return value


def _crossing(left: Evaluate, right: Evaluate, slope: Number) -> TimeChange:
    """When two numbers meet, and when they part again."""

    def crossing(scope: Scope) -> int | None:
        first, second = left(scope), right(scope)
        if first is None or second is None:
            return None
        return _moment(scope["now"], (second - first) / slope)

    return crossing


def _stepping(value: Evaluate, slope: Number, width: Number) -> TimeChange:
    """When a number passes the next multiple of `width`: when it gets there, and when it leaves it again."""

    def stepping(scope: Scope) -> int | None:
        at = value(scope)
        if at is None:
            return None
        steps = at / width
        behind = (floor(steps) if slope > 0 else ceil(steps)) * width
        if (at - behind) / slope < 1:  # it is there: what rounds the other way changes only now
            return int(scope["now"]) + 1
        target = (floor(steps) + 1) * width if slope > 0 else (ceil(steps) - 1) * width
        return _moment(scope["now"], (target - at) / slope)

    return stepping


def _moment(now: int, ahead: float) -> int | None:
    """A moment `ahead` of now, found by a division: about then, in one of a few milliseconds, each of them is tried."""
    if not -2 <= ahead < MAX_AHEAD:
        return None
    return now + max(1, floor(ahead) - 1)


def _reads(tree: Tree) -> bool:
    return isinstance(tree, Path | Derivation)


def _all(tree: Tree) -> list[Tree]:
    found = [tree]
    for part in found:
        found += [below for below, _ in children(part)]
    return found


def _refused(message: str, at: Span) -> Exception:
    return refusal(UNPLANNABLE, message, at, _REMEDY)

"""Time changes: the moments at which time alone may change the result of a condition.

A condition reads time as `now`, and through functions such as `counted`. Every operand of a comparison that depends on
`now` must be *linear* in it: a number that changes by a constant slope each millisecond, such as
`now - profile.traits.at`. Then the moment at which two operands become equal can be computed, and between these moments
the result does not change. A condition that uses `now` in any other way is refused, because no time could be scheduled
for its next evaluation.

A time change may be too early but never too late: the caller evaluates the condition again at that moment.
"""

from collections.abc import Callable
from datetime import tzinfo
from math import ceil, floor
from typing import Any, Final

from engine.language.absent import Unusable
from engine.language.compiler import Compiler
from engine.language.expression import Condition
from engine.language.moment import zone_of
from engine.language.operators import is_number
from engine.language.path import Scope
from engine.language.readers import Evaluate, PlainReader, reader
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
from engine.language.zone import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, TIMEZONE, next_change, start_of_next

TimeChange = Callable[[Scope], int | None]  # scope -> the next moment (ms) after its `now`; None when there is none
Number = int | float

UNPLANNABLE: Final = "H211"
MAX_AHEAD: Final = 10**14  # ms, three thousand years; a later moment counts as never

_REMEDY: Final = "compare `now` with a time: `profile.traits.at < now - days(30)`, or count: `counted('orders', '30d')`"
_WIDTHS: Final = {"%S": SECOND_MS, "%M": MINUTE_MS, "%H": HOUR_MS}  # ms; any other directive's text changes by day

NextMoment = Callable[[int, tzinfo], int]  # (moment, zone) -> the next moment (ms) at which a local value may change


def time_changes_of(condition: Condition) -> tuple[TimeChange, ...]:
    """Return the time changes of a condition; empty when time alone never changes it. Raises `ProblemError` (H211)."""
    analysis = _SlopeAnalysis(condition.source)
    if analysis.slope(condition.tree):
        raise _refused("`now` is always true: compare it with something", condition.tree.at)
    return tuple(analysis.changes)


def next_time(changes: tuple[TimeChange, ...], scope: Scope) -> int | None:
    """Return the earliest next moment (ms) of several time changes, or None."""
    return min((moment for change in changes if (moment := change(scope)) is not None), default=None)


class _SlopeAnalysis:
    """Computes the slope of each part of a tree, and collects the time changes on the way."""

    def __init__(self, text: str) -> None:
        self.compiler = Compiler(text, PlainReader(), lenient=True)
        self.changes: list[TimeChange] = []

    def slope(self, tree: Tree) -> Number:
        """Return by how much the part grows each millisecond between time changes. Raises `ProblemError` (H211)."""
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
                self.slope(of)  # presence does not depend on time
                return 0
            case Choice(when=when, then=then, otherwise=otherwise):
                self._check_constant(when)
                return self._common_slope(then, otherwise)
            case Default(of=of, fallback=fallback):
                return self._common_slope(of, fallback)
            case Call():
                return self._call(tree)
        for part, _ in children(tree):
            self._check_constant(part)
        return 0

    def _check_constant(self, tree: Tree) -> None:
        if self.slope(tree):
            raise _refused("this cannot be planned: the next change of this use of `now` cannot be computed", tree.at)

    def _common_slope(self, first: Tree, other: Tree) -> Number:
        slope = self.slope(first)
        if slope != self.slope(other):
            raise _refused("this cannot be planned: one side depends on `now`, the other does not", other.at)
        return slope

    def _comparison(self, tree: Comparison) -> Number:
        operands = (tree.first, *(part for _, part in tree.rest))
        slopes = [self.slope(part) for part in operands]
        for i, (sign, right) in enumerate(tree.rest):
            slope = slopes[i] - slopes[i + 1]
            if sign in {"in", "notin"}:
                self._check_not_in_membership(operands[i], slopes[i])
                self._check_not_in_membership(right, slopes[i + 1])
            elif slope:
                self.changes.append(_equality(self._number(operands[i]), self._number(right), slope))
        return 0

    def _check_not_in_membership(self, tree: Tree, slope: Number) -> None:
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
                self.changes.append(_multiple(self._number(tree.left), left, abs(by)))
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
            self.changes.append(_multiple(value, slope, 1))
        elif name == "round" and len(slopes) == 1:
            self.changes.append(_multiple(value, slope, 0.5))
        elif name in _LOCAL and slope == 1 and not any(slopes[1:]):
            following = _LOCAL[name](tree.prepared)
            if following is not None:
                self.changes.append(_local(value, self._zone(tree), following))
        else:
            raise _refused(f"this cannot be planned: `{name}` of `now`", tree.at)
        return 0

    def _zone(self, tree: Call) -> Callable[[Scope], tzinfo | None]:
        """Return a closure for the time zone of a call; None if its name is no time zone."""
        evaluate = reader((TIMEZONE,)) if tree.zoned else self.compiler.operand(tree.arguments[-1])

        def zone(scope: Scope) -> tzinfo | None:
            try:
                return zone_of(evaluate(scope), tree.function.name)
            except Unusable:
                return None

        return zone

    def _number(self, tree: Tree) -> Evaluate:
        """Return a closure for the part's value if it is a number, else None."""
        evaluate = self.compiler.operand(tree)

        def number(scope: Scope) -> Any:
            try:
                value = evaluate(scope)
            except Unusable:
                return None
            return value if is_number(value) else None

        return number

    def _literal(self, tree: Tree) -> Number | None:
        """Return the value of a part that reads nothing, if it is a number; else None."""
        if any(_reads(part) for part in _all_parts(tree)):
            return None
        value: Number | None = self._number(tree)({})
        return value


def _equality(left: Evaluate, right: Evaluate, slope: Number) -> TimeChange:
    """Return the time change at which two numbers become equal, and that at which they differ again."""

    def next_moment(scope: Scope) -> int | None:
        first, second = left(scope), right(scope)
        if first is None or second is None:
            return None
        return _moment(scope["now"], (second - first) / slope)

    return next_moment


def _multiple(value: Evaluate, slope: Number, width: Number) -> TimeChange:
    """Return the time change at which a number reaches the next multiple of `width`, and that at which it leaves it."""

    def next_moment(scope: Scope) -> int | None:
        at = value(scope)
        if at is None:
            return None
        multiples = at / width
        behind = (floor(multiples) if slope > 0 else ceil(multiples)) * width
        if (at - behind) / slope < 1:  # it is at the multiple: a value that rounds the other way changes only now
            return int(scope["now"]) + 1
        target = (floor(multiples) + 1) * width if slope > 0 else (ceil(multiples) - 1) * width
        return _moment(scope["now"], (target - at) / slope)

    return next_moment


def _local(value: Evaluate, zone: Callable[[Scope], tzinfo | None], following: NextMoment) -> TimeChange:
    """Return the time change at which the local value of a moment may change; the moment's slope is 1."""

    def next_moment(scope: Scope) -> int | None:
        at, its_zone, now = value(scope), zone(scope), scope["now"]
        if at is None or its_zone is None:
            return None
        try:
            ahead = following(floor(at), its_zone) - at
        except OverflowError:
            return None
        if type(at) is int:
            return int(now + ahead)
        return _moment(now, ahead)

    return next_moment


def _of_format(parts: tuple[str, ...]) -> NextMoment | None:
    """Return when the text of a pattern (`compile_format`) may change next; None if it never does."""
    widths = [_WIDTHS.get(part, DAY_MS) for part in parts if part[0] == "%" and part != "%%"]
    width = min(widths, default=None)
    return None if width is None else lambda moment, zone: next_change(moment, width, zone)


def _of_start(unit: str) -> NextMoment:
    """Return when the start of a unit changes next."""
    return lambda moment, zone: start_of_next(unit, moment, zone)


# Functions whose value is constant between local times -> when it changes next, by the literal argument.
_LOCAL: Final[dict[str, Callable[[Any], NextMoment | None]]] = {"format_date": _of_format, "start_of": _of_start}


def _moment(now: int, ahead: float) -> int | None:
    """Return the moment `ahead` ms after `now`, or up to two ms before it: division is inexact, so each ms is tried."""
    if not -2 <= ahead < MAX_AHEAD:
        return None
    return now + max(1, floor(ahead) - 1)


def _reads(tree: Tree) -> bool:
    return isinstance(tree, Path | Derivation)


def _all_parts(tree: Tree) -> list[Tree]:
    """Return the tree and all parts below it."""
    parts = [tree]
    for part in parts:
        parts += [below for below, _ in children(part)]
    return parts


def _refused(message: str, at: Span) -> Exception:
    return refusal(UNPLANNABLE, message, at, _REMEDY)

"""Our tree -> closures.

A closure takes what its leaves take, and gives a value or ABSENT, or raises `Unusable`. Three demands are made on a
part: its `value` (ABSENT may come), that it be `present` (null may come), that it be `filled` (neither may).
A comparison's operands are asked for their value, and one that cannot be had for absence is ABSENT.

In a condition (`lenient`) whatever is true or false swallows `Unfit` and is false.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from engine.language.absent import ABSENT, Absent, Unfit, Unusable
from engine.language.comparison import chain, compare
from engine.language.operators import ARITHMETIC, LISTS, TEXT_CAP, as_text, capped_text
from engine.language.path import show_path
from engine.language.readers import Evaluate, LeafReader, needed
from engine.language.tree import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Constant,
    Default,
    Derivation,
    Entries,
    Every,
    Items,
    Joined,
    Lookup,
    Negation,
    Path,
    Presence,
    Some,
    Tree,
)

Demand = Callable[[Tree], Evaluate]
_CONDUITS = (Choice, Default, Some, Every)  # their value is one of their parts'
_NEVER_RAISE = (Constant, Path, Derivation)
_MAYBE_ABSENT = (Lookup, Call, Derivation)


class Compiler:
    """Compiles the trees of one text."""

    def __init__(self, text: str, leaves: LeafReader, *, lenient: bool) -> None:
        self.text = text
        self.leaves = leaves
        self.lenient = lenient

    def value(self, tree: Tree) -> Evaluate:
        """The part's value; ABSENT when it is absent."""
        return self._make(tree, self.value)

    def present(self, tree: Tree) -> Evaluate:
        """The part's value; `Absent` is raised when it is absent."""
        if isinstance(tree, Path):
            return self.leaves.need(tree.path, show_path(tree.path))
        if isinstance(tree, _CONDUITS):
            return self._make(tree, self.present)
        evaluate = self.value(tree)
        return needed(evaluate, self._source(tree)) if isinstance(tree, _MAYBE_ABSENT) else evaluate

    def filled(self, tree: Tree) -> Evaluate:
        """The part's value; `Absent` is raised when it is absent or null."""
        if isinstance(tree, _CONDUITS):
            return self._make(tree, self.filled)
        if isinstance(tree, Constant) and tree.value is not None:
            return self.value(tree)
        evaluate, text = self.present(tree), self._source(tree)

        def fill(seen: Any) -> Any:
            value = evaluate(seen)
            if value is None:
                raise Absent(text, "null")
            return value

        return fill

    def operand(self, tree: Tree) -> Evaluate:
        """The part's value where absence is handled by rule: ABSENT when it cannot be had for absence."""
        evaluate = self.value(tree)
        if isinstance(tree, _NEVER_RAISE):
            return evaluate

        def spare(seen: Any) -> Any:
            try:
                return evaluate(seen)
            except Absent:
                return ABSENT

        return spare

    def truth(self, tree: Tree) -> Evaluate:
        """Whether the part is true: absent, null, zero and what is empty is not."""
        match tree:
            case Comparison() | Negation() | Presence():
                return self.value(tree)
            case Every(parts=parts):
                return _all([self.truth(part) for part in parts])
            case Some(parts=parts):
                return _any([self.truth(part) for part in parts])
            case Constant() | Path() | Derivation():
                evaluate = self.value(tree)
                return lambda seen: bool(evaluate(seen))
        evaluate, swallowed = self.value(tree), Unusable if self.lenient else Absent

        def is_true(seen: Any) -> bool:
            try:
                return bool(evaluate(seen))
            except swallowed:
                return False

        return is_true

    def _make(self, tree: Tree, arm: Demand) -> Evaluate:
        return self._MAKERS[type(tree)](self, tree, arm)

    def _source(self, tree: Tree) -> str:
        if isinstance(tree, Path):
            return show_path(tree.path)
        return " ".join(self.text[tree.at[0] : tree.at[1]].split())

    def _guarded(self, evaluate: Evaluate, *parts: Tree) -> Evaluate:
        """In a condition: false where a part does not fit."""
        if not self.lenient or all(isinstance(part, _NEVER_RAISE) for part in parts):
            return evaluate

        def guard(seen: Any) -> Any:
            try:
                return evaluate(seen)
            except Unfit:
                return False

        return guard

    # One maker per kind of part. `arm` is the demand on what may become the value itself.

    def _constant(self, tree: Constant, arm: Demand) -> Evaluate:
        value = tree.value
        return lambda seen: value

    def _path(self, tree: Path, arm: Demand) -> Evaluate:
        return self.leaves.read(tree.path, show_path(tree.path))

    def _derivation(self, tree: Derivation, arm: Demand) -> Evaluate:
        return self.leaves.derived(tree.derived.value, self._source(tree))

    def _lookup(self, tree: Lookup, arm: Demand) -> Evaluate:
        of, key = self.operand(tree.of), self.filled(tree.key)

        def look_up(seen: Any) -> Any:
            held, part = of(seen), key(seen)
            if isinstance(part, str):
                return held.get(part, ABSENT) if isinstance(held, dict) else ABSENT
            if type(part) is int and isinstance(held, LISTS) and -len(held) <= part < len(held):
                return held[part]
            return ABSENT

        return self.leaves.noted(look_up, self._source(tree))

    def _arithmetic(self, tree: Arithmetic, arm: Demand) -> Evaluate:
        left, right = self.filled(tree.left), self.filled(tree.right)
        calculate, source = ARITHMETIC[tree.sign], self._source(tree)

        def evaluate(seen: Any) -> Any:
            first, second = left(seen), right(seen)
            try:
                return calculate(first, second)
            except Unfit as unfit:
                raise Unfit(f"{unfit.reason}, in `{source}`") from None

        return evaluate

    def _joined(self, tree: Joined, arm: Demand) -> Evaluate:
        return joined([self.filled(part) for part in tree.parts])

    def _comparison(self, tree: Comparison, arm: Demand) -> Evaluate:
        operands = [tree.first, *(part for _, part in tree.rest)]
        evaluates = [(self.operand(part), part) for part in operands]
        signs = [sign for sign, _ in tree.rest]
        evaluate = compare(evaluates[0], signs[0], evaluates[1]) if len(signs) == 1 else chain(evaluates, signs)
        return self._guarded(evaluate, *operands)

    def _every(self, tree: Every, arm: Demand) -> Evaluate:
        return _last_of([self.operand(part) for part in tree.parts[:-1]], arm(tree.parts[-1]), stop=False)

    def _some(self, tree: Some, arm: Demand) -> Evaluate:
        return _last_of([self.operand(part) for part in tree.parts[:-1]], arm(tree.parts[-1]), stop=True)

    def _negation(self, tree: Negation, arm: Demand) -> Evaluate:
        of = self.truth(tree.of)
        return lambda seen: not of(seen)

    def _presence(self, tree: Presence, arm: Demand) -> Evaluate:
        of = self.operand(tree.of)
        if tree.test == "defined":
            return self._guarded(lambda seen: of(seen) is not ABSENT, tree.of)

        def is_none(seen: Any) -> bool:
            value = of(seen)
            return value is None or value is ABSENT

        return self._guarded(is_none, tree.of)

    def _choice(self, tree: Choice, arm: Demand) -> Evaluate:
        when, then, otherwise = self.truth(tree.when), arm(tree.then), arm(tree.otherwise)
        return lambda seen: then(seen) if when(seen) else otherwise(seen)

    def _items(self, tree: Items, arm: Demand) -> Evaluate:
        parts = [self.present(part) for part in tree.parts]
        return lambda seen: [part(seen) for part in parts]

    def _entries(self, tree: Entries, arm: Demand) -> Evaluate:
        pairs = [(key, self.present(part)) for key, part in tree.pairs]
        return lambda seen: {key: part(seen) for key, part in pairs}

    def _default(self, tree: Default, arm: Demand) -> Evaluate:
        of, fallback = self.operand(tree.of), arm(tree.fallback)

        def fall_back(seen: Any) -> Any:
            value = of(seen)
            return fallback(seen) if value is ABSENT or value is None else value

        return fall_back

    def _call(self, tree: Call, arm: Demand) -> Evaluate:
        call, name, source = tree.function.call, tree.function.name, self._source(tree)
        arguments = [self.filled(part) for part in tree.arguments]
        literal = () if tree.prepared is None else (tree.prepared,)

        def evaluate(seen: Any) -> Any:
            given = [argument(seen) for argument in arguments]
            try:
                return call(*given, *literal)
            except Unfit as unfit:
                raise Unfit(f"{unfit.reason}, in `{source}`") from None
            except UnicodeError:
                raise Unfit(f"`{name}` cannot use half characters, in `{source}`") from None

        return evaluate

    _MAKERS: ClassVar[dict[type, Callable[["Compiler", Any, Demand], Evaluate]]] = {
        Constant: _constant,
        Path: _path,
        Derivation: _derivation,
        Lookup: _lookup,
        Arithmetic: _arithmetic,
        Joined: _joined,
        Comparison: _comparison,
        Every: _every,
        Some: _some,
        Negation: _negation,
        Presence: _presence,
        Choice: _choice,
        Items: _items,
        Entries: _entries,
        Default: _default,
        Call: _call,
    }


def joined(parts: list[Evaluate]) -> Evaluate:
    """The parts' values as one text."""

    def join(seen: Any) -> str:
        texts = []
        size = 0
        for part in parts:
            texts.append(as_text(part(seen)))
            size += len(texts[-1])
            if size > TEXT_CAP:
                return capped_text(None)
        return "".join(texts)

    return join


def _all(parts: list[Evaluate]) -> Evaluate:
    if len(parts) == 2:
        first, second = parts
        return lambda seen: first(seen) and second(seen)

    def every(seen: Any) -> bool:
        for part in parts:  # noqa: SIM110  # a generator costs as much as the parts
            if not part(seen):
                return False
        return True

    return every


def _any(parts: list[Evaluate]) -> Evaluate:
    if len(parts) == 2:
        first, second = parts
        return lambda seen: first(seen) or second(seen)

    def some(seen: Any) -> bool:
        for part in parts:  # noqa: SIM110
            if part(seen):
                return True
        return False

    return some


def _last_of(parts: list[Evaluate], last: Evaluate, *, stop: bool) -> Evaluate:
    """The first value whose truth is `stop`, or the last one; an absent or null one before it counts as false."""

    def evaluate(seen: Any) -> Any:
        for part in parts:
            value = part(seen)
            if bool(value) is stop:
                return False if value is ABSENT or value is None else value
        return last(seen)

    return evaluate

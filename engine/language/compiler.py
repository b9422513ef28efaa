"""Our tree -> closures.

A closure takes the context that its leaves take (`readers`), and returns a value or ABSENT, or raises `Unusable`. A
part is compiled for one of three demands: its `value` (may be ABSENT), `present` (may be null) or `filled` (neither).
The operands of a comparison are compiled by `operand`: an operand that raises `Absent` is ABSENT.

In a condition (`lenient`) a comparison, test or truth value that raises `Unfit` is false.
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
from engine.language.zone import TIMEZONE

Demand = Callable[[Tree], Evaluate]
_CONDUITS = (Choice, Default, Some, Every)  # whose value is that of one of their parts
_NEVER_RAISE = (Constant, Path, Derivation)
_MAYBE_ABSENT = (Lookup, Call, Derivation)


class Compiler:
    """Compiles the trees of one text."""

    def __init__(self, text: str, leaves: LeafReader, *, lenient: bool) -> None:
        self.text = text
        self.leaves = leaves
        self.lenient = lenient

    def value(self, tree: Tree) -> Evaluate:
        """Compile a part to its value; ABSENT when it is absent."""
        return self._make(tree, self.value)

    def present(self, tree: Tree) -> Evaluate:
        """Compile a part to its value; the closure raises `Absent` when it is absent."""
        if isinstance(tree, Path):
            return self.leaves.need(tree.path, show_path(tree.path))
        if isinstance(tree, _CONDUITS):
            return self._make(tree, self.present)
        evaluate = self.value(tree)
        return needed(evaluate, self._source(tree)) if isinstance(tree, _MAYBE_ABSENT) else evaluate

    def filled(self, tree: Tree) -> Evaluate:
        """Compile a part to its value; the closure raises `Absent` when it is absent or null."""
        if isinstance(tree, _CONDUITS):
            return self._make(tree, self.filled)
        if isinstance(tree, Constant) and tree.value is not None:
            return self.value(tree)
        evaluate, text = self.present(tree), self._source(tree)

        def fill(context: Any) -> Any:
            value = evaluate(context)
            if value is None:
                raise Absent(text, "null")
            return value

        return fill

    def operand(self, tree: Tree) -> Evaluate:
        """Compile a part whose absence is no failure: its value, or ABSENT in place of raising `Absent`."""
        evaluate = self.value(tree)
        if isinstance(tree, _NEVER_RAISE):
            return evaluate

        def absent_or_value(context: Any) -> Any:
            try:
                return evaluate(context)
            except Absent:
                return ABSENT

        return absent_or_value

    def truth(self, tree: Tree) -> Evaluate:
        """Compile a part to true or false. Absent, null, zero and empty values are false."""
        match tree:
            case Comparison() | Negation() | Presence():
                return self.value(tree)
            case Every(parts=parts):
                return _all([self.truth(part) for part in parts])
            case Some(parts=parts):
                return _any([self.truth(part) for part in parts])
            case Constant() | Path() | Derivation():
                evaluate = self.value(tree)
                return lambda context: bool(evaluate(context))
        evaluate, swallowed = self.value(tree), Unusable if self.lenient else Absent

        def is_true(context: Any) -> bool:
            try:
                return bool(evaluate(context))
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
        """In a condition, return a closure that is false where `evaluate` raises `Unfit`; else return `evaluate`."""
        if not self.lenient or all(isinstance(part, _NEVER_RAISE) for part in parts):
            return evaluate

        def guard(context: Any) -> Any:
            try:
                return evaluate(context)
            except Unfit:
                return False

        return guard

    # One maker per kind of part. `arm` is the demand on those parts whose value may become the value of the whole.

    def _constant(self, tree: Constant, arm: Demand) -> Evaluate:
        value = tree.value
        return lambda context: value

    def _path(self, tree: Path, arm: Demand) -> Evaluate:
        return self.leaves.read(tree.path, show_path(tree.path))

    def _derivation(self, tree: Derivation, arm: Demand) -> Evaluate:
        return self.leaves.derived(tree.derived.value, self._source(tree))

    def _lookup(self, tree: Lookup, arm: Demand) -> Evaluate:
        of, key = self.operand(tree.of), self.filled(tree.key)

        def look_up(context: Any) -> Any:
            container, part = of(context), key(context)
            if isinstance(part, str):
                return container.get(part, ABSENT) if isinstance(container, dict) else ABSENT
            if type(part) is int and isinstance(container, LISTS) and -len(container) <= part < len(container):
                return container[part]
            return ABSENT

        return self.leaves.recorded(look_up, self._source(tree))

    def _arithmetic(self, tree: Arithmetic, arm: Demand) -> Evaluate:
        left, right = self.filled(tree.left), self.filled(tree.right)
        calculate, source = ARITHMETIC[tree.sign], self._source(tree)

        def evaluate(context: Any) -> Any:
            first, second = left(context), right(context)
            try:
                return calculate(first, second)
            except Unfit as unfit:
                raise Unfit(f"{unfit.reason}, in `{source}`") from None

        return evaluate

    def _joined(self, tree: Joined, arm: Demand) -> Evaluate:
        return join_texts([self.filled(part) for part in tree.parts])

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
        return lambda context: not of(context)

    def _presence(self, tree: Presence, arm: Demand) -> Evaluate:
        of = self.operand(tree.of)
        if tree.test == "defined":
            return self._guarded(lambda context: of(context) is not ABSENT, tree.of)

        def is_none(context: Any) -> bool:
            value = of(context)
            return value is None or value is ABSENT

        return self._guarded(is_none, tree.of)

    def _choice(self, tree: Choice, arm: Demand) -> Evaluate:
        when, then, otherwise = self.truth(tree.when), arm(tree.then), arm(tree.otherwise)
        return lambda context: then(context) if when(context) else otherwise(context)

    def _items(self, tree: Items, arm: Demand) -> Evaluate:
        parts = [self.present(part) for part in tree.parts]
        return lambda context: [part(context) for part in parts]

    def _entries(self, tree: Entries, arm: Demand) -> Evaluate:
        pairs = [(key, self.present(part)) for key, part in tree.pairs]
        return lambda context: {key: part(context) for key, part in pairs}

    def _default(self, tree: Default, arm: Demand) -> Evaluate:
        of, fallback = self.operand(tree.of), arm(tree.fallback)

        def fall_back(context: Any) -> Any:
            value = of(context)
            return fallback(context) if value is ABSENT or value is None else value

        return fall_back

    def _call(self, tree: Call, arm: Demand) -> Evaluate:
        call, name, source = tree.function.call, tree.function.name, self._source(tree)
        arguments = self._arguments(tree)

        def evaluate(context: Any) -> Any:
            values = [argument(context) for argument in arguments]
            try:
                return call(*values)
            except Unfit as unfit:
                raise Unfit(f"{unfit.reason}, in `{source}`") from None
            except UnicodeError:
                raise Unfit(f"`{name}` cannot use half characters, in `{source}`") from None

        return evaluate

    def _arguments(self, tree: Call) -> list[Evaluate]:
        arguments = [self.filled(part) for part in tree.arguments]
        if tree.prepared is not None:
            arguments.insert(tree.function.piped, lambda context: tree.prepared)
        if tree.function.hidden:
            arguments.insert(0, self.leaves.unrecorded((tree.function.hidden,)))
        if tree.zoned:
            arguments.append(self.leaves.unrecorded((TIMEZONE,)))
        return arguments

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


def join_texts(parts: list[Evaluate]) -> Evaluate:
    """Return a closure that joins the parts' values to one text. It raises `Unfit` beyond `TEXT_CAP` characters."""

    def join(context: Any) -> str:
        texts = []
        size = 0
        for part in parts:
            texts.append(as_text(part(context)))
            size += len(texts[-1])
            if size > TEXT_CAP:
                return capped_text(None)
        return "".join(texts)

    return join


def _all(parts: list[Evaluate]) -> Evaluate:
    if len(parts) == 2:
        first, second = parts
        return lambda context: first(context) and second(context)

    def every(context: Any) -> bool:
        for part in parts:  # noqa: SIM110  # a generator costs as much as the parts
            if not part(context):
                return False
        return True

    return every


def _any(parts: list[Evaluate]) -> Evaluate:
    if len(parts) == 2:
        first, second = parts
        return lambda context: first(context) or second(context)

    def some(context: Any) -> bool:
        for part in parts:  # noqa: SIM110
            if part(context):
                return True
        return False

    return some


def _last_of(parts: list[Evaluate], last: Evaluate, *, stop: bool) -> Evaluate:
    """Return a closure for the first value whose truth is `stop`, else the last; absent and null become false."""

    def evaluate(context: Any) -> Any:
        for part in parts:
            value = part(context)
            if bool(value) is stop:
                return False if value is ABSENT or value is None else value
        return last(context)

    return evaluate

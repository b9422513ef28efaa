"""Conditions and expressions: what an author writes, compiled once and evaluated for every event."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.language.checker import check
from engine.language.compiler import Compiler
from engine.language.parser import parse
from engine.language.path import ROOTS, Scope
from engine.language.readers import PlainReader, RecordingReader
from engine.language.refusal import SYNTAX, refusal
from engine.language.tokens import Tokens, tokenise
from engine.language.tree import Comparison, Constant, Derivation, Path, Tree, children

SEGMENTS = ("profile", "segments")

_PLAIN = PlainReader()
_NOTED = RecordingReader()


class SegmentLiteral(Struct, frozen=True):
    """A literal text that is looked for among the profile's segments, and where it stands."""

    text: str
    offset: int
    length: int


class Read(Struct, frozen=True):
    """Something that an expression reads: the leading part of its path that is known when the flow is loaded.

    `handled` says that its absence is no failure: in a condition, in a comparison, under `default(...)`.
    """

    path: tuple[str, ...]
    offset: int  # in characters of the author's text
    length: int
    handled: bool
    segment_literals: tuple[SegmentLiteral, ...] = ()  # in `'vip' in profile.segments`
    function: str = ""  # the one that reads it: `counted`, `changed_at`


class Explanation(Struct):
    """A result with every value that was read for it; "absent" stands for what is not there."""

    value: Any
    values: dict[str, Any]


class Condition:
    """A compiled condition. `test` is true or false for any data, and never raises."""

    __slots__ = ("_noted", "reads", "source", "test", "tree")

    def __init__(self, source: str, tree: Tree) -> None:
        self.source = source
        self.tree = tree
        self.reads = reads_of(tree, handled=True)
        self.test: Callable[[Scope], bool] = Compiler(source, _PLAIN, lenient=True).truth(tree)
        self._noted = Compiler(source, _NOTED, lenient=True).truth(tree)

    def explain(self, scope: Scope) -> Explanation:
        """What `test` gives, with the values that were read for it. What was skipped is not listed."""
        values: dict[str, Any] = {}
        return Explanation(self._noted((scope, values)), values)


class Expression:
    """A compiled expression. `evaluate` gives plain data, or raises `Unusable`."""

    __slots__ = ("_noted", "evaluate", "reads", "source")

    def __init__(self, source: str, tree: Tree, text: str) -> None:
        self.source = source
        self.reads = reads_of(tree)
        self.evaluate: Callable[[Scope], Any] = Compiler(text, _PLAIN, lenient=False).present(tree)
        self._noted = Compiler(text, _NOTED, lenient=False).present(tree)

    def note(self, scope: Scope, values: dict[str, Any]) -> Any:
        """What `evaluate` gives; what is read goes to `values`, also when `Unusable` is raised."""
        return self._noted((scope, values))


def compile_condition(text: str, roots: frozenset[str] = ROOTS) -> Condition:
    """The condition that `text` spells; raises `ProblemError` with the place and the remedy."""
    return Condition(text, check(parse(_bare(text)), roots))


def compile_tokens(tokens: Tokens, roots: frozenset[str] = ROOTS) -> Expression:
    """The expression of a template's hole; its places are those in the whole text."""
    source = tokens.text[tokens.start : tokens.end].strip()
    return Expression(source, check(parse(tokens), roots), tokens.text)


def _bare(text: str) -> Tokens:
    start = len(text) - len(text.lstrip())
    if text.startswith("{{", start):
        raise refusal(SYNTAX, "an expression stands bare here", (start, start + 2), "write it without {{ }}")
    return tokenise(text)


def reads_of(tree: Tree, *, handled: bool = False) -> tuple[Read, ...]:
    """What an expression reads, in the order of the text."""
    if isinstance(tree, Path):
        start, end = tree.at
        return (Read(tuple(str(part) for part in tree.path), start, end - start, handled),)
    if isinstance(tree, Derivation):
        start, end = tree.at
        return (Read(tree.derived.path, start, end - start, handled, function=tree.function),)
    found = tuple(read for part, spared in children(tree) for read in reads_of(part, handled=handled or spared))
    return _seeking(tree, found) if isinstance(tree, Comparison) else found


def _seeking(tree: Comparison, reads: tuple[Read, ...]) -> tuple[Read, ...]:
    """The reads of a comparison, with the texts that are looked for among the profile's segments."""
    literals: dict[int, SegmentLiteral] = {}
    for left, (sign, right) in zip((tree.first, *(part for _, part in tree.rest)), tree.rest, strict=False):
        among = isinstance(right, Path) and right.path == SEGMENTS and sign in ("in", "notin")
        if among and isinstance(left, Constant) and isinstance(left.value, str):
            start, end = left.at
            literals[right.at[0]] = SegmentLiteral(left.value, start, end - start)
    return tuple(
        replace(read, segment_literals=(literals[read.offset],)) if read.offset in literals else read for read in reads
    )

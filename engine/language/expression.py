"""Conditions and expressions of authors, compiled once and evaluated for every event."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.language.checker import check
from engine.language.compiler import Compiler
from engine.language.habits import recognised
from engine.language.parser import parse, plain_path
from engine.language.path import ROOTS, Scope
from engine.language.readers import Evaluate, PlainReader, RecordingReader
from engine.language.refusal import SYNTAX, refusal
from engine.language.tokens import Tokens, tokenise
from engine.language.tree import Comparison, Constant, Default, Derivation, Path, Some, Tree, children
from engine.problem import ProblemError

MAX_KNOWN = 4096  # compiled texts that are kept: flows repeat their texts, and `check` looks at one text several times
SEGMENTS = ("profile", "segments")

_PLAIN = PlainReader()
_RECORDING = RecordingReader()


class SegmentLiteral(Struct, frozen=True):
    """A literal text that is compared with the profile's segments, with its position in the author's text."""

    text: str
    offset: int  # in characters
    length: int


class Read(Struct, frozen=True):
    """A path that an expression reads: the leading names, as far as they are known when the flow is loaded.

    `handled` says that absence is no failure: in a condition, in a comparison, under `default(...)`.
    """

    path: tuple[str, ...]
    offset: int  # in characters of the author's text
    length: int
    handled: bool
    segment_literals: tuple[SegmentLiteral, ...] = ()  # in `'vip' in profile.segments`
    function: str = ""  # the function that reads it: `counted`, `changed_at`
    instead_of: tuple[
        tuple[str, ...], ...
    ] = ()  # the paths of whose values this one takes the place, if they are absent


class Explanation(Struct):
    """A result, and every value that was read for it by the author's text; an absent value is the text "absent"."""

    value: Any
    values: dict[str, Any]


class Condition:
    """A compiled condition. `test` returns true or false for any scope, and never raises."""

    __slots__ = ("_recorded", "reads", "source", "test", "text", "tree")

    def __init__(self, source: str, tree: Tree) -> None:
        self.source = source
        self.text = source  # in which the tree has its positions
        self.tree = tree
        self.reads = reads_of(tree, handled=True)
        self.test: Callable[[Scope], bool] = Compiler(source, _PLAIN, lenient=True).truth(tree)
        self._recorded: Evaluate | None = None

    def explain(self, scope: Scope) -> Explanation:
        """Return the result of `test`, and the values that were read for it."""
        if self._recorded is None:  # only traces need it
            self._recorded = Compiler(self.source, _RECORDING, lenient=True).truth(self.tree)
        values: dict[str, Any] = {}
        return Explanation(self._recorded((scope, values)), values)


class Expression:
    """A compiled expression. `evaluate` returns plain data, or raises `Unusable`."""

    __slots__ = ("_recorded", "evaluate", "reads", "source", "text", "tree")

    def __init__(self, source: str, tree: Tree, text: str) -> None:
        self.source = source
        self.text = text  # in which the tree has its positions: the whole template
        self.tree = tree
        self.reads = reads_of(tree)
        self.evaluate: Callable[[Scope], Any] = Compiler(text, _PLAIN, lenient=False).present(tree)
        self._recorded: Evaluate | None = None

    def note(self, scope: Scope, values: dict[str, Any]) -> Any:
        """Return the result of `evaluate`, and record the values read in `values`, even when `Unusable` is raised."""
        if self._recorded is None:  # only traces need it
            self._recorded = Compiler(self.text, _RECORDING, lenient=False).present(self.tree)
        return self._recorded((scope, values))


@lru_cache(maxsize=MAX_KNOWN)
def compile_condition(text: str, roots: frozenset[str] = ROOTS) -> Condition:
    """Return the condition of a text. Raises `ProblemError` with the position and the remedy."""
    try:
        return Condition(text, _tree(_bare(text), roots))
    except ProblemError as error:
        raise ProblemError(recognised(error.problem, text, 0, len(text))) from None


def compile_part(text: str, start: int, roots: frozenset[str] = ROOTS) -> tuple[Expression, int]:
    """Return the expression from `start` (behind `{{`), and the offset behind its `}}`. Raises `ProblemError`.

    Its positions are in the whole text.
    """
    try:
        tokens = tokenise(text, start, in_template=True)
        return compile_tokens(tokens, roots), tokens.after
    except ProblemError as error:
        end = text.find("}}", start)
        raise ProblemError(recognised(error.problem, text, start, len(text) if end < 0 else end)) from None


def compile_tokens(tokens: Tokens, roots: frozenset[str] = ROOTS) -> Expression:
    """Return the expression of some tokens, with positions in the whole text of which they are a part."""
    source = tokens.text[tokens.start : tokens.end].strip()
    return Expression(source, _tree(tokens, roots), tokens.text)


def _tree(tokens: Tokens, roots: frozenset[str]) -> Tree:
    """Return the tree of an expression; that of a plain path without the parser, because most expressions are paths."""
    return plain_path(tokens, roots) or check(parse(tokens), roots)


def _bare(text: str) -> Tokens:
    """Return the tokens of an expression without {{ }} around it."""
    start = len(text) - len(text.lstrip())
    if text.startswith("{{", start):
        inner = text.strip().removeprefix("{{").removesuffix("}}").strip()
        remedy = "write it without {{ }}" + (
            f": `{inner}`" if inner and "}}" not in inner and "{{" not in inner else ""
        )
        raise refusal(SYNTAX, "an expression has no {{ }} here", (start, start + 2), remedy)
    return tokenise(text)


def reads_of(tree: Tree, *, handled: bool = False) -> tuple[Read, ...]:
    """Return the paths that an expression reads, in the order of the text."""
    if isinstance(tree, Path):
        start, end = tree.at
        return (Read(tuple(str(part) for part in tree.path), start, end - start, handled),)
    if isinstance(tree, Derivation):
        start, end = tree.at
        return (Read(tree.derived.path, start, end - start, handled, function=tree.function),)
    reads = tuple(
        read for part, may_be_absent in children(tree) for read in reads_of(part, handled=handled or may_be_absent)
    )
    if isinstance(tree, Default | Some):
        return _with_alternatives(tree, reads)
    return _with_segment_literals(tree, reads) if isinstance(tree, Comparison) else reads


def _with_alternatives(tree: Default | Some, reads: tuple[Read, ...]) -> tuple[Read, ...]:
    """Return the reads of `a | default(b)` or `a or b`; those of `b` know that they take the place of `a`."""
    *before, last = (tree.of, tree.fallback) if isinstance(tree, Default) else tree.parts
    paths = tuple(read.path for part in before for read in reads_of(part))
    return tuple(
        replace(read, instead_of=(*paths, *read.instead_of)) if last.at[0] <= read.offset < last.at[1] else read
        for read in reads
    )


def _with_segment_literals(tree: Comparison, reads: tuple[Read, ...]) -> tuple[Read, ...]:
    """Return the reads of a comparison, with the literal texts that it compares with the profile's segments."""
    literals: dict[int, SegmentLiteral] = {}
    for left, (sign, right) in zip((tree.first, *(part for _, part in tree.rest)), tree.rest, strict=False):
        in_segments = isinstance(right, Path) and right.path == SEGMENTS and sign in ("in", "notin")
        if in_segments and isinstance(left, Constant) and isinstance(left.value, str):
            start, end = left.at
            literals[right.at[0]] = SegmentLiteral(left.value, start, end - start)
    return tuple(
        replace(read, segment_literals=(literals[read.offset],)) if read.offset in literals else read for read in reads
    )

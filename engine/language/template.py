"""Templates: text with `{{ }}`, split into literal text and expressions, and joined again for a scope."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

from engine.language.absent import Absent, Unfit
from engine.language.blocks import check_opening
from engine.language.compiler import join_texts
from engine.language.expression import MAX_KNOWN, Expression, Read, compile_part
from engine.language.operators import as_text
from engine.language.path import ROOTS, Scope
from engine.language.readers import Evaluate
from engine.problem import ProblemError

_OPENING = re.compile(r"\{\{|\{%|\{#")

Piece = str | Expression
PartWriter = Callable[[str], str]  # the text of an evaluated part -> the text to insert


class Source(Protocol):
    """A computed part of a value: an expression or a JSONPath."""

    source: str
    reads: tuple[Read, ...]
    evaluate: Callable[[Scope], Any]

    def note(self, scope: Scope, values: dict[str, Any]) -> Any:
        """Return the result of `evaluate`, and record the values that it reads in `values`."""


def has_template(text: str) -> bool:
    """Return whether `text` is a template rather than literal text."""
    return _OPENING.search(text) is not None


@lru_cache(maxsize=MAX_KNOWN)
def split(text: str, roots: frozenset[str]) -> Sequence[Piece]:
    """Return the literal parts and the expressions of a template, in order. Raises `ProblemError`."""
    pieces: list[Piece] = []
    at = 0
    while match := _OPENING.search(text, at):
        start = match.start()
        check_opening(text, start)
        pieces += [text[at:start]] if start > at else []
        expression, at = compile_part(text, start + 2, roots)
        pieces.append(expression)
    return (*pieces, *([text[at:]] if at < len(text) else []))


def single_expression(pieces: Sequence[Piece]) -> Expression | None:
    """Return the expression of a text that consists of one expression and white space; else None."""
    expressions = [piece for piece in pieces if isinstance(piece, Expression)]
    literal = "".join(piece for piece in pieces if isinstance(piece, str))
    return expressions[0] if len(expressions) == 1 and not literal.strip() else None


def always_text(data: Any, roots: frozenset[str] = ROOTS) -> bool:
    """Return whether `data` is a valid template that reads `roots`, and whose value is always a text."""
    if not isinstance(data, str) or not has_template(data):
        return False
    try:
        return single_expression(split(data, roots)) is None
    except ProblemError:
        return False


def join_pieces(pieces: Sequence[str | Source], write_part: PartWriter | None = None) -> Evaluate:
    """Return a closure that makes the text for a scope; it raises `Absent` for absent and null values.

    `write_part` is applied to the text of each evaluated part; literal text stays as it is.
    """
    return join_texts([_rendered(piece, write_part) for piece in pieces])


def _rendered(piece: str | Source, write_part: PartWriter | None) -> Evaluate:
    if isinstance(piece, str):
        return lambda scope: piece
    evaluate, source = piece.evaluate, piece.source

    def render(scope: Scope) -> Any:
        value = evaluate(scope)
        if value is None:
            raise Absent(source, "null")
        try:
            return value if write_part is None else write_part(as_text(value))
        except UnicodeError:
            raise Unfit(f"`{source}` has half characters") from None

    return render

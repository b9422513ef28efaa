"""Text with `{{ }}`: cut into literal text and expressions, and put together again for a scope."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from engine.language.absent import Absent, Unfit
from engine.language.compiler import joined
from engine.language.expression import Expression, Read, compile_tokens
from engine.language.operators import as_text
from engine.language.path import ROOTS, Scope
from engine.language.readers import Evaluate
from engine.language.refusal import NOT_ALLOWED, refusal
from engine.language.tokens import tokenise
from engine.problem import ProblemError

_OPENING = re.compile(r"\{\{|\{%|\{#")

Piece = str | Expression
Parts = Callable[[str], str]


class Source(Protocol):
    """Something in a value that is computed: an expression or a JSONPath."""

    source: str
    reads: tuple[Read, ...]
    evaluate: Callable[[Scope], Any]

    def note(self, scope: Scope, values: dict[str, Any]) -> Any:
        """What `evaluate` gives; what is read goes to `values`."""


def has_template(text: str) -> bool:
    """Whether `text` is more than literal text."""
    return _OPENING.search(text) is not None


def split(text: str, roots: frozenset[str]) -> list[Piece]:
    """The literal parts and the expressions of a template, in order; raises `ProblemError`."""
    pieces: list[Piece] = []
    at = 0
    while found := _OPENING.search(text, at):
        start = found.start()
        if found[0] != "{{":
            remedy = (
                f"there are only expressions: `{{{{ value }}}}`; for the text itself write `{{{{ '{found[0]}' }}}}`"
            )
            raise refusal(NOT_ALLOWED, f"there is no `{found[0]}`", found.span(), remedy)
        if text[start + 2 : start + 3] in {"-", "+"}:
            remedy = "white space stays as it is; before a minus sign leave a space"
            raise refusal(NOT_ALLOWED, f"`{text[start : start + 3]}` is not allowed", (start, start + 3), remedy)
        tokens = tokenise(text, start + 2, hole=True)
        pieces += [text[at:start]] if start > at else []
        pieces.append(compile_tokens(tokens, roots))
        at = tokens.after
    return pieces + ([text[at:]] if at < len(text) else [])


def whole(pieces: list[Piece]) -> Expression | None:
    """The one expression of a text that is nothing else; white space around it (a block's newline) does not count."""
    expressions = [piece for piece in pieces if isinstance(piece, Expression)]
    literal = "".join(piece for piece in pieces if isinstance(piece, str))
    return expressions[0] if len(expressions) == 1 and not literal.strip() else None


def always_text(data: Any) -> bool:
    """Whether `data` is a template that makes a text whatever is read; not so one that cannot be understood."""
    if not isinstance(data, str) or not has_template(data):
        return False
    try:
        return whole(split(data, ROOTS)) is None
    except ProblemError:
        return False


def mixed(pieces: Sequence[str | Source], parts: Parts | None = None) -> Evaluate:
    """What puts the text together for a scope; absent and null values raise `Absent`.

    `parts` writes the text of an evaluated part; the literal text stays as it is.
    """
    return joined([_rendered(piece, parts) for piece in pieces])


def _rendered(piece: str | Source, parts: Parts | None) -> Evaluate:
    if isinstance(piece, str):
        return lambda scope: piece
    evaluate, source = piece.evaluate, piece.source

    def render(scope: Scope) -> Any:
        value = evaluate(scope)
        if value is None:
            raise Absent(source, "null")
        try:
            return value if parts is None else parts(as_text(value))
        except UnicodeError:
            raise Unfit(f"`{source}` has half characters") from None

    return render

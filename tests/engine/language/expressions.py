"""Expressions for tests: compiled as a template's expression is, without the template around it."""

from engine.language.expression import Expression, compile_tokens
from engine.language.path import ROOTS
from engine.language.tokens import tokenise


def compile_expression(text: str, roots: frozenset[str] = ROOTS) -> Expression:
    """Compile the whole `text` as one expression; raises `ProblemError`."""
    return compile_tokens(tokenise(text), roots)

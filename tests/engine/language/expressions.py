"""Expressions for tests: compiled as a template's expression is, without the template around it."""

from engine.language.expression import Expression, compile_tokens
from engine.language.habits import recognised
from engine.language.path import ROOTS
from engine.language.tokens import tokenise
from engine.problem import ProblemError


def compile_expression(text: str, roots: frozenset[str] = ROOTS) -> Expression:
    """Compile the whole `text` as one expression; raises `ProblemError`."""
    try:
        return compile_tokens(tokenise(text), roots)
    except ProblemError as error:
        raise ProblemError(recognised(error.problem, text, 0, len(text))) from None

"""Tokens -> Jinja's syntax tree, with the position of every part.

Jinja's tree has line numbers only. Our tokens carry offsets in their place, and every `parse_...` method is wrapped so
that it records the span of the part that it returns.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jinja2.parser
from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import TokenStream
from msgspec import Struct

from engine.language.functions import TESTS
from engine.language.hints import WORDS
from engine.language.refusal import SYNTAX, TOO_LARGE, UNKNOWN_FUNCTION, Span, refusal
from engine.language.tokens import ENVIRONMENT, Tokens
from engine.language.tree import Path
from engine.problem import ProblemError, did_you_mean


class Parsed(Struct, frozen=True):
    """Jinja's tree of one expression. `spans` are by `id` of a part, and hold the part so that its id stays valid."""

    text: str
    top: nodes.Expr
    spans: dict[int, tuple[nodes.Node, Span]]

    def span(self, node: nodes.Node) -> Span:
        """Return the span of `node` in the text."""
        recorded = self.spans.get(id(node))
        if recorded is not None:
            return recorded[1]
        if isinstance(node, nodes.BinExpr):
            return self.span(node.left)[0], self.span(node.right)[1]
        if isinstance(node, nodes.Filter) and node.node is not None:
            return self.span(node.node)[0], node.lineno + len(node.name)
        return node.lineno, node.lineno + 1


def parse(tokens: Tokens) -> Parsed:
    """Return the syntax tree of all tokens. Raises `ProblemError`."""
    parser = _Parser(tokens)
    try:
        top = parser.parse_expression()
    except TemplateSyntaxError as error:
        raise _unexpected(tokens, error.lineno) from None
    except RecursionError:
        raise refusal(TOO_LARGE, "the expression nests too deep", (tokens.start, tokens.end)) from None
    if parser.stream.current.type != "eof":
        raise _unexpected(tokens, parser.stream.current.lineno)
    return Parsed(text=tokens.text, top=top, spans=parser.spans)


def plain_path(tokens: Tokens, roots: frozenset[str]) -> Path | None:
    """Return the path of an expression that consists of a root and names, such as `event.properties.total`; or None."""
    *items, _ = tokens.items
    names, dots = items[::2], items[1::2]
    if names[0].value not in roots or len(names) == len(dots):
        return None
    if any(name.type != "name" for name in names) or any(dot.type != "dot" for dot in dots):
        return None
    return Path((names[0].lineno, tokens.ends[names[-1].lineno]), tuple(name.value for name in names))


def _unexpected(tokens: Tokens, offset: int) -> ProblemError:
    """Return the error for the token at `offset`, at which Jinja's parser stopped."""
    index = next(i for i, token in enumerate(tokens.items) if token.lineno == offset)
    for i in (index, index - 1):
        word = tokens.items[i] if i >= 0 else None
        if word and word.type == "name" and word.value in WORDS and (i == 0 or tokens.items[i - 1].type != "dot"):
            at = (word.lineno, tokens.ends[word.lineno])
            return refusal(SYNTAX, f"unexpected `{word.value}`", at, WORDS[word.value])
    if tokens.items[index].type == "eof":
        return refusal(SYNTAX, "the expression ends where more is expected", (offset, offset + 1))
    at = (offset, tokens.ends[offset])
    if tokens.items[index].type == "comma":
        return refusal(
            SYNTAX, "unexpected `,`", at, "an expression is one value: write a list, `[a, b]`, or two templates"
        )
    return refusal(SYNTAX, f"unexpected `{tokens.text[at[0] : at[1]]}`", at)


class _Parser(jinja2.parser.Parser):
    """Jinja's parser, for our own tokens."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(ENVIRONMENT, "")
        self.stream = TokenStream(iter(tokens.items), None, None)
        self.spans: dict[int, tuple[nodes.Node, Span]] = {}
        self.ended = {  # offset of a token -> the end of the token before it
            token.lineno: tokens.ends[before.lineno] for before, token in pairwise(tokens.items)
        }

    def parse_test(self, node: nodes.Expr) -> nodes.Expr:
        """`is [not] NAME`. (Jinja would take a name that follows, such as `if`, for an argument.)"""
        start = next(self.stream).lineno
        negated = self.stream.skip_if("name:not")
        name = self.stream.expect("name")
        if name.value not in TESTS:
            remedy = "write `value in list`" if name.value == "in" else did_you_mean(name.value, TESTS)
            at = (name.lineno, name.lineno + len(name.value))
            raise refusal(UNKNOWN_FUNCTION, f"there is no test `{name.value}`", at, remedy)
        test = nodes.Test(node, name.value, [], [], None, None, lineno=name.lineno)
        return nodes.Not(test, lineno=start) if negated else test


def _recording(method: Callable[..., nodes.Expr]) -> Callable[..., nodes.Expr]:
    """Wrap a `parse_...` method so that it records the span of its result; the innermost call wins."""

    def parse(self: _Parser, *args: Any, **options: Any) -> nodes.Expr:
        start = self.stream.current.lineno
        if args and isinstance(args[0], nodes.Node):
            known = self.spans.get(id(args[0]))
            start = known[1][0] if known else args[0].lineno
        node = method(self, *args, **options)
        self.spans.setdefault(id(node), (node, (start, self.ended[self.stream.current.lineno])))
        return node

    return parse


def _recording_level(method: Callable[["_Parser"], nodes.Expr]) -> Callable[["_Parser"], nodes.Expr]:
    """Wrap the method of a level of precedence, as `_recording` does; most calls return a part of a lower level."""

    def parse(self: _Parser) -> nodes.Expr:
        start = self.stream.current.lineno
        node = method(self)
        if id(node) not in self.spans:
            self.spans[id(node)] = node, (start, self.ended[self.stream.current.lineno])
        return node

    return parse


for _name in ("parse_primary", "parse_subscript", "parse_call", "parse_filter", "parse_test", "parse_unary"):
    setattr(_Parser, _name, _recording(getattr(_Parser, _name)))
for _name in (
    *("parse_pow", "parse_math2", "parse_concat", "parse_math1", "parse_compare", "parse_not", "parse_and", "parse_or"),
    "parse_condexpr",
):
    setattr(_Parser, _name, _recording_level(getattr(_Parser, _name)))

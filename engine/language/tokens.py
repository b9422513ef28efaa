"""Text -> tokens, cut by Jinja's lexer, each carrying its offset in place of a line number.

All limits on size and nesting are applied here, before anything recursive sees the text.
"""

import re
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import TOKEN_EOF, Token, operators
from msgspec import Struct

from engine.language.hints import CHARACTERS, TOKENS, TOUCHING, UNITS, WORDS
from engine.language.refusal import NOT_ALLOWED, SYNTAX, TOO_LARGE, Span, refusal
from engine.problem import ProblemError

SOURCE_CAP = 4096  # characters of one expression
TOKEN_CAP = 400
BRACKET_CAP = 10  # brackets open at once
NUMBER_CAP = 2**63 - 1

ENVIRONMENT = Environment()  # noqa: S701  # only its syntax is used; nothing is ever rendered by it
_OPENERS = {"lparen": "(", "lbracket": "[", "lbrace": "{"}
_CLOSERS = frozenset({"rparen", "rbracket", "rbrace"})
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


class Tokens(Struct, frozen=True):
    """The tokens of one expression. `Token.lineno` is the offset in `text`; the last token is the end."""

    text: str  # the whole text, of which the expression may be a part
    items: tuple[Token, ...]
    ends: dict[int, int]  # where the token that begins at an offset ends
    start: int
    end: int  # of the expression; in a template, `}}` begins here
    after: int  # where the text goes on


def tokenise(text: str, start: int = 0, *, hole: bool = False) -> Tokens:
    """The tokens of `text`; of a template's hole, those from `start` (behind `{{`) to its `}}`."""
    if not hole and len(text) > SOURCE_CAP:
        raise refusal(TOO_LARGE, f"an expression has at most {SOURCE_CAP} characters", (SOURCE_CAP, len(text)))
    if hole and "}}" not in text[start:]:
        raise _unclosed(start)
    items: list[Token] = []
    ends: dict[int, int] = {}
    brackets: list[Span] = []  # those that are open
    end = after = len(text)
    for offset, kind, value in _pieces(text, start, brackets):
        at = (offset, offset + len(value))
        if kind == "variable_end":
            _check_end(value, at, hole=hole)
            end, after = offset, offset + 2
            break
        if kind == "whitespace":
            continue
        token = _token(kind, value, at)
        _check_brackets(token, at, brackets)
        _check_mistake(token, at, items, ends)
        items.append(token)
        ends[offset] = at[1]
        if len(items) > TOKEN_CAP:
            raise refusal(TOO_LARGE, f"an expression has at most {TOKEN_CAP} words and signs", at)
    else:
        if hole:
            raise _unclosed(start)
    if brackets:
        raise refusal(SYNTAX, f"`{text[brackets[-1][0]]}` is never closed", brackets[-1])
    if not items:
        raise refusal(SYNTAX, "there is no expression", (start - 2, after) if hole else (0, len(text)))
    _check_last(items, ends)
    items.append(Token(ends[items[-1].lineno], TOKEN_EOF, ""))
    return Tokens(text=text, items=tuple(items), ends=ends, start=start, end=end, after=after)


def _pieces(text: str, start: int, brackets: list[Span]) -> Iterator[tuple[int, str, str]]:
    """Jinja's raw tokens with their offsets. Newlines keep their width, so offsets stay true."""
    part = text[start : start + SOURCE_CAP + 2]
    offset = start
    try:
        for _, kind, value in ENVIRONMENT.lexer.tokeniter(part.replace("\r", "\n"), None, None, "variable"):
            if "\r" in text[offset : offset + len(value)]:
                at = text.index("\r", offset)
                raise refusal(SYNTAX, "a carriage return has no place in an expression", (at, at + 1))
            yield offset, kind, value
            offset += len(value)
    except TemplateSyntaxError:
        raise _no_token(text, offset, brackets) from None
    if len(text) > start + len(part):
        message = f"an expression has at most {SOURCE_CAP} characters"
        raise refusal(TOO_LARGE, message, (start - 2, start), "is its `{{` closed?")


def _no_token(text: str, offset: int, brackets: list[Span]) -> ProblemError:
    """What to say where Jinja's lexer stops: at a character, or at a bracket that closes another one."""
    sign = text[offset]
    if brackets and sign in ")]}":
        return refusal(SYNTAX, f"`{text[brackets[-1][0]]}` is not closed before `{sign}`", brackets[-1])
    sign = "&&" if text.startswith("&&", offset) else sign
    return refusal(SYNTAX, f"unexpected `{sign}`", (offset, offset + len(sign)), CHARACTERS.get(sign[0], ""))


def _unclosed(start: int) -> ProblemError:
    return refusal(SYNTAX, "`{{` is never closed", (start - 2, start), "close it by `}}`")


def _check_end(value: str, at: Span, *, hole: bool) -> None:
    if not hole:
        raise refusal(SYNTAX, "unexpected `}}`", (at[0], at[1]), "write it without {{ }}")
    if value[0] == "-":
        raise refusal(NOT_ALLOWED, "`-}}` is not allowed", (at[0], at[0] + 3), "close it by ` }}`")


def _token(kind: str, value: str, at: Span) -> Token:
    made: Any = value
    if kind == "operator":
        kind = operators[value]
    elif kind == "integer":
        made = int(value.replace("_", ""), 0)
    elif kind == "float":
        made = float(value.replace("_", ""))
    elif kind == "string":
        made = _unquoted(value, at[0])
    elif kind == "name" and not value.isidentifier():
        raise refusal(SYNTAX, f"`{value}` is no name", at)
    if kind in {"integer", "float"} and made > (NUMBER_CAP if kind == "integer" else 1.7e308):
        raise refusal(TOO_LARGE, "the number is too large", at)
    return Token(at[0], kind, made)


def _unquoted(quoted: str, offset: int) -> str:
    """A text literal's value. An escape that is none stays as written, so that patterns need no doubling."""

    def unescape(found: re.Match[str]) -> str:
        sign = found[1]
        if len(sign) == 1:
            return _ESCAPED.get(sign, found[0])
        code = int(sign[1:], 16)
        if 0xD800 <= code <= 0xDFFF:
            at = offset + 1 + found.start()
            raise refusal(SYNTAX, f"`{found[0]}` is half a character", (at, at + 6), "write the character itself")
        return chr(code)

    return _ESCAPE.sub(unescape, quoted[1:-1])


def _check_brackets(token: Token, at: Span, brackets: list[Span]) -> None:
    if token.type in _OPENERS:
        brackets.append(at)
        if len(brackets) > BRACKET_CAP:
            raise refusal(TOO_LARGE, f"brackets nest at most {BRACKET_CAP} deep", at)
    elif token.type in _CLOSERS:
        brackets.pop()  # Jinja's lexer has matched them


def _check_mistake(token: Token, at: Span, before: list[Token], ends: dict[int, int]) -> None:
    previous = before[-1] if before else None
    if previous is not None and ends[previous.lineno] == at[0] and (previous.type, token.type) in TOUCHING:
        spelled, remedy = TOUCHING[previous.type, token.type]
        raise refusal(SYNTAX, f"unexpected `{spelled}`", (previous.lineno, previous.lineno + len(spelled)), remedy)
    if previous is not None and ends[previous.lineno] == at[0] and previous.type in ("integer", "float"):
        _check_unit(previous, token, at)
    if token.type == "name" and token.value == "None" and (previous is None or previous.type != "dot"):
        raise refusal(SYNTAX, "unexpected `None`", at, WORDS["None"])
    if previous is not None and previous.type == "assign":  # not doubled, so it stands alone
        raise _lone(previous, (previous.lineno, ends[previous.lineno]), before[:-1])
    if token.type in {"pow", "semicolon"}:
        raise _lone(token, at, before)


def _check_unit(number: Token, unit: Token, at: Span) -> None:
    """A number with a unit, as durations in YAML have one."""
    remedy = UNITS.get(unit.value) if unit.type == "name" else None
    if remedy is not None:
        spelled = f"{number.value}{unit.value}"
        at = (number.lineno, at[1])
        raise refusal(SYNTAX, f"unexpected `{spelled}`", at, f"write `{remedy.format(number.value)}`: milliseconds")


def _check_last(items: list[Token], ends: dict[int, int]) -> None:
    last = items[-1]
    if last.type == "assign":
        raise _lone(last, (last.lineno, ends[last.lineno]), items[:-1])


def _lone(token: Token, at: Span, before: list[Token]) -> ProblemError:
    code, message, remedy = TOKENS[token.type]
    named = [known.type for known in before[-2:]] in (["lparen", "name"], ["comma", "name"])
    if token.type == "assign" and named:
        return refusal(SYNTAX, "arguments have no names here", at, "write the value alone")
    return refusal(code, message, at, remedy)

"""Text -> tokens of Jinja's lexer, each with its offset in place of a line number.

All limits on size and nesting are checked here, before anything recursive processes the text.
"""

import re
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import TOKEN_EOF, Token, operators
from msgspec import Struct

from engine.language.decimals import NUMBER_CAP
from engine.language.hints import CHARACTERS, TOKENS, TOUCHING, UNITS, WORDS
from engine.language.refusal import NOT_ALLOWED, SYNTAX, TOO_LARGE, Span, refusal
from engine.language.strange_characters import foreign_letter, name_of, quoted_remedy, remedy_for
from engine.problem import ProblemError

SOURCE_CAP = 4096  # characters of one expression
TOKEN_CAP = 400
BRACKET_CAP = 10  # open brackets

ENVIRONMENT = Environment()  # noqa: S701  # only its syntax is used; it never renders anything
_OPENERS = {"lparen": "(", "lbracket": "[", "lbrace": "{"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = frozenset({"rparen", "rbracket", "rbrace"})
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


class Tokens(Struct, frozen=True):
    """The tokens of one expression. `Token.lineno` is the offset in `text`; the last token is the end."""

    text: str  # the whole text, of which the expression may be a part
    items: tuple[Token, ...]
    ends: dict[int, int]  # offset of a token -> the offset behind it
    start: int
    end: int  # of the expression; in a template, the offset of `}}`
    after: int  # the offset at which the text continues


def tokenise(text: str, start: int = 0, *, in_template: bool = False) -> Tokens:
    """Return the tokens of `text`; in a template those from `start` (behind `{{`) to the matching `}}`.

    Raises `ProblemError`.
    """
    if not in_template and len(text) > SOURCE_CAP:
        raise refusal(TOO_LARGE, f"an expression has at most {SOURCE_CAP} characters", (SOURCE_CAP, len(text)))
    if in_template and "}}" not in text[start:]:
        raise _unclosed(start)
    items: list[Token] = []
    ends: dict[int, int] = {}
    brackets: list[Span] = []  # the open ones
    end = after = len(text)
    for offset, kind, value in _pieces(text, start, brackets):
        at = (offset, offset + len(value))
        if kind == "variable_end":
            _check_end(value, at, in_template=in_template)
            end, after = offset, offset + 2
            break
        if kind == "whitespace":
            _check_space(value, offset)
            continue
        token = _token(kind, value, at)
        _check_brackets(token, at, brackets)
        _check_mistake(token, at, items, ends)
        items.append(token)
        ends[offset] = at[1]
        if len(items) > TOKEN_CAP:
            raise refusal(TOO_LARGE, f"an expression has at most {TOKEN_CAP} words and signs", at)
    else:
        if in_template:
            raise _unclosed(start)
    if brackets:
        opener = text[brackets[-1][0]]
        raise refusal(SYNTAX, f"`{opener}` is never closed", brackets[-1], f"close it by `{_CLOSING[opener]}`")
    if not items:
        raise refusal(SYNTAX, "there is no expression", (start - 2, after) if in_template else (0, len(text)))
    _check_last(items, ends)
    items.append(Token(ends[items[-1].lineno], TOKEN_EOF, ""))
    return Tokens(text=text, items=tuple(items), ends=ends, start=start, end=end, after=after)


def _pieces(text: str, start: int, brackets: list[Span]) -> Iterator[tuple[int, str, str]]:
    """Yield Jinja's raw tokens (offset, kind, text). A line break keeps its length, so offsets stay valid."""
    part = text[start : start + SOURCE_CAP + 2]
    offset = start
    try:
        for _, kind, value in ENVIRONMENT.lexer.tokeniter(part.replace("\r", "\n"), None, None, "variable"):
            if "\r" in text[offset : offset + len(value)]:
                at = text.index("\r", offset)
                raise refusal(SYNTAX, "an expression cannot contain a carriage return", (at, at + 1))
            yield offset, kind, value
            offset += len(value)
    except TemplateSyntaxError:
        raise _no_token(text, offset, brackets) from None
    if len(text) > start + len(part):
        message = f"an expression has at most {SOURCE_CAP} characters"
        raise refusal(TOO_LARGE, message, (start - 2, start), "is its `{{` closed?")


def _no_token(text: str, offset: int, brackets: list[Span]) -> ProblemError:
    """Return the error for the offset at which Jinja's lexer stopped: a bad character or a mismatched bracket."""
    sign = text[offset]
    if brackets and sign in ")]}":
        opener = text[brackets[-1][0]]
        message = f"`{opener}` is not closed before `{sign}`"
        return refusal(SYNTAX, message, brackets[-1], f"close it by `{_CLOSING[opener]}`")
    if not sign.isascii():
        message = f"{name_of(sign)} is not part of an expression"
        return refusal(SYNTAX, message, (offset, offset + 1), quoted_remedy(text, offset) or remedy_for(sign))
    sign = "&&" if text.startswith("&&", offset) else sign
    return refusal(SYNTAX, f"unexpected `{sign}`", (offset, offset + len(sign)), CHARACTERS.get(sign[0], ""))


def _check_space(space: str, offset: int) -> None:
    """Refuse a non-breaking space and its like, which look as an ordinary one and separate no words in other tools."""
    strange = "" if space.isascii() else foreign_letter(space)
    if strange:
        at = offset + space.index(strange)
        message = f"{name_of(strange)} is not an ordinary space"
        raise refusal(SYNTAX, message, (at, at + 1), remedy_for(strange))


def _unclosed(start: int) -> ProblemError:
    return refusal(SYNTAX, "`{{` is never closed", (start - 2, start), "close it by `}}`")


def _check_end(value: str, at: Span, *, in_template: bool) -> None:
    if not in_template:
        raise refusal(SYNTAX, "unexpected `}}`", (at[0], at[1]), "write it without {{ }}")
    if value[0] == "-":
        raise refusal(NOT_ALLOWED, "`-}}` is not allowed", (at[0], at[0] + 3), "close it by ` }}`")


def _token(kind: str, value: str, at: Span) -> Token:
    parsed: Any = value
    if kind == "operator":
        kind = operators[value]
    elif kind == "integer":
        parsed = int(value.replace("_", ""), 0)
    elif kind == "float":
        parsed = float(value.replace("_", ""))
    elif kind == "string":
        parsed = _unquoted(value, at[0])
    elif kind == "name" and not value.isidentifier():
        raise refusal(SYNTAX, f"`{value}` is not a name", at)
    if kind in {"integer", "float"} and parsed > (NUMBER_CAP if kind == "integer" else 1.7e308):
        raise refusal(TOO_LARGE, "the number is too large", at)
    return Token(at[0], kind, parsed)


def _unquoted(quoted: str, offset: int) -> str:
    """Return the value of a text literal. Unknown escapes stay as written, so patterns need no double backslashes."""

    def unescape(match: re.Match[str]) -> str:
        sign = match[1]
        if len(sign) == 1:
            return _ESCAPED.get(sign, match[0])
        code = int(sign[1:], 16)
        if 0xD800 <= code <= 0xDFFF:
            at = offset + 1 + match.start()
            raise refusal(SYNTAX, f"`{match[0]}` is half a character", (at, at + 6), "write the character itself")
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
    if previous is not None and previous.type == "assign":  # a single `=`
        raise _misplaced(previous, (previous.lineno, ends[previous.lineno]), before[:-1])
    if token.type in {"pow", "semicolon"}:
        raise _misplaced(token, at, before)


def _check_unit(number: Token, unit: Token, at: Span) -> None:
    """Refuse a number with a unit, as durations in YAML have one."""
    remedy = UNITS.get(unit.value) if unit.type == "name" else None
    if remedy is not None:
        spelled = f"{number.value}{unit.value}"
        at = (number.lineno, at[1])
        raise refusal(SYNTAX, f"unexpected `{spelled}`", at, f"write `{remedy.format(number.value)}`: milliseconds")


def _check_last(items: list[Token], ends: dict[int, int]) -> None:
    last = items[-1]
    if last.type == "assign":
        raise _misplaced(last, (last.lineno, ends[last.lineno]), items[:-1])


def _misplaced(token: Token, at: Span, before: list[Token]) -> ProblemError:
    code, message, remedy = TOKENS[token.type]
    is_named_argument = [previous.type for previous in before[-2:]] in (["lparen", "name"], ["comma", "name"])
    if token.type == "assign" and is_named_argument:
        return refusal(SYNTAX, "arguments have no names here", at, "write the value alone")
    return refusal(code, message, at, remedy)

"""Syntax: from a text to luqum's tree, or to the error in the text. `parse` interprets the tree.

Unsupported syntax (fuzziness, boosts, patterns) is refused among the tokens, whose positions are known.
"""

import re
from typing import Any, Final, NoReturn

from luqum import parser, thread
from luqum.exceptions import IllegalCharacterError, ParseError

from engine.problem import Problem, ProblemError

MAX_LENGTH: Final = 2000  # characters of a query
MAX_WORDS: Final = 100  # words and names of fields; stores accept so many in one query

_POSITION = re.compile(r"at position (\d+)!?\Z")
_UNSUPPORTED = {
    "APPROX": ("`~` (fuzziness and proximity) is not understood", "ask for the beginning of a word: `ann*`"),
    "BOOST": ("`^` (a boost) is not understood", "results are ordered by time, newest first; leave it out"),
    "REGEX": ("patterns between slashes are not understood", "a value with slashes in it belongs in quotes"),
}
_UNFINISHED = {
    '"': ("this quote is not closed", 'end it with `"`, or write `\\"`'),
    "/": ("a slash cannot begin a word", "put the value in quotes"),
    "\\": ("this backslash escapes nothing", "write `\\\\` for a backslash"),
}
_WORD = "a condition is missing beside it; in quotes it is a word like any other"
_MISPLACED = {"AND": _WORD, "OR": _WORD, "NOT": _WORD, "TO": _WORD, ")": "there is no `(` that it closes"}
_NEGATIVE = 'in front of a number in a comparison, quotes are needed: `>"-5"`'


def refuse(code: str, message: str, offset: int, length: int = 1, help: str = "") -> NoReturn:
    """Raise `ProblemError` for the part of the text at `offset`."""
    raise ProblemError(Problem(code=f"query.{code}", message=message, offset=offset, length=max(length, 1), help=help))


def read(text: str) -> Any:
    """Return luqum's tree of a text that is not blank. Raises `ProblemError`."""
    if len(text) > MAX_LENGTH:
        refuse("too-long", f"a query has at most {MAX_LENGTH} characters, this one has {len(text)}", MAX_LENGTH)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        refuse("no-text", "this is not a character", error.start)
    try:
        _check_tokens(text)
        return thread.parse(text)
    except IllegalCharacterError as error:
        at = _position(error, text)
        message, help = _UNFINISHED.get(text[at], (f"`{text[at]}` cannot be here", "put the value in quotes"))
        refuse("syntax", message, at, 1, help)
    except ParseError as error:
        _refuse_syntax(text, _position(error, text))


def _check_tokens(text: str) -> None:
    """Refuse unsupported tokens and too many words."""
    lexer = parser.lexer.clone()
    lexer.input(text)
    words = 0
    for token in lexer:
        words += token.type in {"TERM", "PHRASE"}
        if words > MAX_WORDS:
            refuse("too-long", f"a query has at most {MAX_WORDS} words and fields", token.lexpos)
        if token.type in _UNSUPPORTED:
            message, help = _UNSUPPORTED[token.type]
            refuse("unsupported", message, token.lexpos, lexer.lexpos - token.lexpos, help)


def _refuse_syntax(text: str, at: int) -> NoReturn:
    rest = text[at:]
    if not rest.strip():
        at = len(text.rstrip())
        if text.count("(") > text.count(")"):
            refuse("syntax", "a parenthesis is not closed", at, 1, "add `)`")
        help = "a field needs a value; AND, OR and NOT need a condition"
        refuse("syntax", "something is missing at the end", at, 1, help)
    word = re.match(r"\w+|.", rest, re.DOTALL)
    culprit = word[0] if word else rest[0]
    if culprit == "-" and text[:at].rstrip().endswith((">", "<", "=")):
        refuse("syntax", "a minus cannot be here", at, 1, _NEGATIVE)
    remedy = _MISPLACED.get(culprit, "a value with signs in it belongs in quotes")
    refuse("syntax", f"`{culprit}` cannot be here", at, len(culprit), remedy)


def _position(error: ParseError, text: str) -> int:
    match = _POSITION.search(str(error))
    return min(int(match[1]), len(text)) if match else len(text)

"""From a text to luqum's tree, or to what is wrong with the text. What the tree means is for `parse`.

What is not understood (fuzziness, boosts, patterns) is found among the tokens, where its place is known.
"""

import re
from typing import Any, Final, NoReturn

from luqum import parser, thread
from luqum.exceptions import IllegalCharacterError, ParseError

from engine.problem import Problem, ProblemError

MAX_LENGTH: Final = 2000  # characters of a query
MAX_WORDS: Final = 100  # and names of fields; what stores take in one query

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
    """Say what is wrong with the text. Raises `ProblemError`."""
    raise ProblemError(Problem(code=f"query.{code}", message=message, offset=offset, length=max(length, 1), help=help))


def read(text: str) -> Any:
    """luqum's tree of a text that is not blank. Raises `ProblemError`."""
    if len(text) > MAX_LENGTH:
        refuse("too-long", f"a query has at most {MAX_LENGTH} characters, this one has {len(text)}", MAX_LENGTH)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        refuse("no-text", "this is no character", error.start)
    try:
        _check_tokens(text)
        return thread.parse(text)
    except IllegalCharacterError as error:
        at = _place(error, text)
        message, help = _UNFINISHED.get(text[at], (f"`{text[at]}` cannot stand here", "put the value in quotes"))
        refuse("syntax", message, at, 1, help)
    except ParseError as error:
        _refuse_syntax(text, _place(error, text))


def _check_tokens(text: str) -> None:
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
        refuse("syntax", "something is missing at the end", at, 1, "a field wants a value, AND, OR and NOT a condition")
    word = re.match(r"\w+|.", rest, re.DOTALL)
    shown = word[0] if word else rest[0]
    if shown == "-" and text[:at].rstrip().endswith((">", "<", "=")):
        refuse("syntax", "a minus cannot stand here", at, 1, _NEGATIVE)
    help = _MISPLACED.get(shown, "a value with signs in it belongs in quotes")
    refuse("syntax", f"`{shown}` cannot stand here", at, len(shown), help)


def _place(error: ParseError, text: str) -> int:
    found = _POSITION.search(str(error))
    return min(int(found[1]), len(text)) if found else len(text)

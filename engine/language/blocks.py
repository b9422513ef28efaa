"""Openings of templates that are none here: blocks, comments and partials of other template languages."""

import re
from typing import Final

from engine.language.refusal import NOT_ALLOWED, refusal
from engine.problem import ProblemError

_STATEMENT: Final = re.compile(r"\{%[-+]?\s*(\w+)\s*(.*?)\s*[-+]?%\}", re.DOTALL)
_BLOCK: Final = re.compile(r"\{\{\s*([#/^>&=!@~]|else\b)\s*(\w*)\s*(.*?)\s*\}\}", re.DOTALL)
_TRIPLE: Final = re.compile(r"\{\{\{(?!\s*['\"}])\s*(.*?)\s*\}\}", re.DOTALL)
_ELSEWHERE: Final = {
    **dict.fromkeys(("if", "unless", "elif", "elsif", "else", "endif", "case", "when"), "if"),
    **dict.fromkeys(("for", "each", "endfor", "with", "cycle"), "for"),
    **dict.fromkeys(("set", "assign", "capture", "let"), "set"),
}
_REMEDIES: Final = {
    "if": "there are no blocks: write `{{{{ 'text' if {test} else '' }}}}`",
    "for": "no loops: take all values by a JSONPath in a `let`: `{{{{ nodes.ID.out.NAME | join(', ') }}}}`",
    "set": "compute values in a `let` node, and read them as `nodes.ID.out.NAME`",
}
_ONLY: Final = "there are only expressions: `{{{{ value }}}}`; for the text itself write `{{{{ '{opening}' }}}}`"


def check_opening(text: str, start: int) -> None:
    """Raise `ProblemError` when the template that opens at `start` begins like one of another language."""
    opening = text[start : start + 2]
    if opening != "{{":
        statement = _STATEMENT.match(text, start)
        word, rest = (statement[1], statement[2]) if statement else ("", "")
        raise _refused(f"there is no `{opening}`", (start, start + 2), word, rest, opening)
    if text[start + 2 : start + 3] in {"-", "+"}:
        remedy = "white space stays as it is; before a minus sign leave a space"
        raise refusal(NOT_ALLOWED, f"`{text[start : start + 3]}` is not allowed", (start, start + 3), remedy)
    if triple := _TRIPLE.match(text, start):
        remedy = f"values are inserted as they are: write `{{{{ {triple[1]} }}}}`"
        raise refusal(NOT_ALLOWED, "there is no `{{{`", (start, start + 3), remedy)
    block = _BLOCK.match(text, start)
    if block is not None:
        sign, word, rest = block.groups()
        word = "else" if sign == "else" else word
        if word in _ELSEWHERE:
            raise _refused(f"there is no `{{{{{sign}{word if sign != 'else' else ''}`", block.span(), word, rest, "{{")
        if sign == ">":
            raise _refused("there is no `{{>`", (start, block.start(1) + 1), "", "", "{{>")
        if sign in "=&":
            remedy = f"write `{{{{ {word}{rest} }}}}`"
            raise refusal(NOT_ALLOWED, f"there is no `{{{{{sign}`", (start, block.start(1) + 1), remedy)


def _refused(message: str, at: tuple[int, int], word: str, rest: str, opening: str) -> ProblemError:
    remedy = _REMEDIES.get(_ELSEWHERE.get(word, ""), _ONLY)
    return refusal(NOT_ALLOWED, message, at, remedy.format(test=rest or "condition", opening=opening))

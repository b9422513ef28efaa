"""Checks of the literal texts in a node's config: text in which an author probably meant something to be read.

Such text is valid, so these are warnings; a reference to a secret is an error, because it would be sent as written.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.flow.reading import field_names
from engine.language.refusal import BARE_TEXT, NO_TEMPLATE, REFERENCE, Span, finding
from engine.problem import KeyPath, Problem

_STEP: Final = r"(?:\.\w+|\[[^\]\s]+\])"
_PATH: Final = re.compile(rf"(event|session|profile|source)\.(\w+){_STEP}*|nodes\.\w+\.out{_STEP}*")
_KNOWN: Final = rf"(?P<path>(?:(?:event|session|profile|source)\.\w+|nodes\.\w+\.out){_STEP}*)"
_NAME: Final = r"(?P<path>[A-Za-z_][\w.]*(?:\[[^\]\s]*\])?)"
_TEMPLATE: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_SECRET: Final = re.compile(r"\$\{(?:env|file|secret|secrets):[^{}]*\}")
_FORMS: Final = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        r"(?:\$|^=)(?P<path>\{\{.*?\}\})",
        r"(?<![\w.@])(?P<path>(?:event|session|profile)@(?:properties|context|traits|pii)(?:\.\w+)+)",
        rf"[$#%@]\{{\s*{_NAME}\s*\}}",
        rf"<%[=-]?\s*{_NAME}\s*-?%>",
        rf"\[%=?\s*{_NAME}\s*%\]",
        r"%\((?P<path>\w+)\)[sdifr]\b",
        rf"(?:\$\(|\[\[|<<)\s*{_KNOWN}\s*(?:\)|\]\]|>>)",
        rf"\$\.?{_KNOWN}",
        rf"\{{\s+\{{\s*{_NAME}\s*\}}\s*\}}",
        rf"(?<!\{{)\{{\s*{_KNOWN}(?:\s*\|[^{{}}]*)?\s*\}}{{1,2}}",
        r"(?<![\w\\{}$#%@])\{(?P<path>[a-z_]\w*)\}(?![{}])",
        r"(?<![\w$\\])\$(?P<path>[a-z_]\w*)\b",
        r"\*\|(?P<path>\w+)\|\*|%%(?P<other>[A-Za-z_]\w*)%%",
    )
)
_GRAPHQL: Final = re.compile(r"\s*(?:query|mutation|subscription)\b[^{}]*\{")  # its `$name` is a variable of its own
_BEHIND: Final = re.compile(r"(?: [|~*/%+-] \S.*)?")  # a path with an operator behind it
_NOW: Final = re.compile(r"now(?: [+-] \S.*)?")
# Only a text with one of these can have a finding.
_MAY_MATCH: Final = re.compile(r"[$#%@<{\[*]|\b(?:event|session|profile|source|nodes)\.")
# A sentence about a field, rather than one that shows its value.
_ABOUT_BEFORE: Final = re.compile(r"\b(?:no|the|of|without|missing|a|an|field|property|set|reads?)\s$", re.IGNORECASE)
_ABOUT_BEHIND: Final = re.compile(r"\s+(?:is|was|are|has|had|must|should|may|cannot|missing|not)\b|\.\s|-\w")


def literal_texts(raw: Any, at: KeyPath) -> Iterator[Problem]:
    """Yield the problems of the texts in a value."""
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            yield from literal_texts(value, (*at, key))
    elif isinstance(raw, list):
        for index, item in enumerate(raw):
            yield from literal_texts(item, (*at, index))
    elif isinstance(raw, str) and not raw.startswith("$."):
        yield from (problem.below(at) for problem in _of_text(raw))


def _of_text(text: str) -> Iterator[Problem]:
    if _is_path(text):
        message = f"nothing is read here: this is the text `{text}`"
        help = f'to read it, write "{{{{ {text} }}}}"'
        yield Problem(code=BARE_TEXT, message=message, help=help, severity="warning")
        return
    if not _MAY_MATCH.search(text):
        return
    taken: list[Span] = []
    for secret in _SECRET.finditer(text):
        message = f"no secrets are read here: this is the text `{secret[0]}`"
        help = "write it in a target of headrace.yaml, in its `url` or `headers`, and name the target in `lookup.http`"
        taken.append(secret.span())
        yield finding(REFERENCE, message, secret.span(), help)
    for form in () if _GRAPHQL.match(text) else _FORMS:
        for match in form.finditer(text):
            if not _overlaps(match, taken, text):
                taken.append(match.span())
                yield _foreign(match)
    yield from _bare_paths(text, taken)


def _overlaps(match: re.Match[str], taken: list[Span], text: str) -> bool:
    """Return whether a match is part of another finding or of a template."""
    start, end = match.span()
    templates = [template.span() for template in _TEMPLATE.finditer(text) if template.start() != start + 1]
    return any(start < behind and first < end for first, behind in (*taken, *templates))


def _foreign(match: re.Match[str]) -> Problem:
    groups = match.groupdict()
    path, shown = groups.get("path") or groups.get("other") or "", match[0]
    if path.startswith("{{"):
        sign = shown[0]
        message, help = f"the `{sign}` before `{path}` stays in the text", f"write `{path}`"
        help += f"; if the sign {'of the dollar ' if sign == '$' else ''}is meant, `{{{{ '{sign}' }}}}{path}`"
        return finding(NO_TEMPLATE, message, match.span(), help, "warning")
    path = path.replace("@", ".")
    read = path if _PATH.fullmatch(path) else f"event.properties.{path.rpartition('.')[2]}"
    message = f"nothing is read here: `{shown}` is plain text"
    help = f"to read a value, write `{{{{ {read} }}}}`; for the text itself, `{{{{ '{shown}' }}}}`"
    return finding(NO_TEMPLATE, message, match.span(), help, "warning")


def _bare_paths(text: str, taken: list[Span]) -> Iterator[Problem]:
    """Yield warnings about paths within a text, unless the text is about the field itself."""
    for match in _PATH.finditer(text):
        start, end = match.span()
        about = _ABOUT_BEFORE.search(text, 0, start) or _ABOUT_BEHIND.match(text, end)
        joined = start > 0 and (text[start - 1].isalnum() or text[start - 1] in "_.@'`\"")
        if about or joined or not _names_value(match) or _overlaps(match, taken, text):
            continue
        message = f"nothing is read here: this is the text `{match[0]}`"
        yield finding(BARE_TEXT, message, match.span(), f"to read it, write `{{{{ {match[0]} }}}}`", "warning")


def _names_value(match: re.Match[str]) -> bool:
    """Return whether a path leads to a value, rather than to an object such as `event.properties`."""
    is_below = match[1] is None or match[0] != f"{match[1]}.{match[2]}"
    return _names_field(match) and (is_below or field_names(match[1])[match[2]].fields == {})


def _names_field(match: re.Match[str]) -> bool:
    return match[1] is None or match[2] in field_names(match[1])


def _is_path(text: str) -> bool:
    """Whether a text is a path, alone or followed by an operator and an operand."""
    match = _PATH.match(text)
    if match is None or not _BEHIND.fullmatch(text, match.end()):
        return _NOW.fullmatch(text) is not None
    return _names_field(match)

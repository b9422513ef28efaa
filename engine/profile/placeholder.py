"""Placeholders: texts that programs send when they have no value. They identify no person.

They are nulls and their names in any language, ids of which every digit is the same, and template texts that no engine
has filled. Case, white space, quotes and punctuation make no difference, and neither does percent-encoding.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from engine.profile.key import MAX_KEY_LENGTH, folded

# Compared without everything that is neither a letter nor a digit, so `notset` is also `(not set)` and `NOT_SET`.
_NULLS = """
    null nil none undefined undef nan na unknown anonymous anon guest unset notset empty blank missing invalid void
    nullptr dbnull notavailable notapplicable notprovided notspecified notfound notauthenticated notidentified
    notloggedin unauthenticated unidentified loggedout
"""
_OTHERS = "true false inf infinity email emailaddress useremail username"  # other types, and names of fields
# Ids that many devices share: of emulators, of a fault in Android 2.2, and the one that stands for a hidden MAC.
_SHARED = "9774d56d682e549c 004999010640000 358240051111110 020000000000 deface lmy47d"
_SUBJECTS = "user session customer visitor client device profile person member account contact id"

NULLS = frozenset(_NULLS.split())
VALUES = NULLS | frozenset(_OTHERS.split()) | frozenset(_SHARED.split())
SUBJECTS = frozenset(_SUBJECTS.split())

_NAME_OF_ID = re.compile(
    "(the|my|your|user|session|customer|visitor|client|device|profile|person|member|account|contact|anonymous|distinct|"
    "external|internal|unique|advertising)*(id|uid|uuid|guid)"
)
_NO_VALUE = re.compile("(null|undefined)+|no(one|body|user|id|name|value|data)")
_PUNCTUATION = {ord(mark): None for mark in " \t-_.,:;/\\+~=^@#$%&*|!?'\"`()[]{}<>–—·•«»„“”‘’"}
_MARKS = re.compile(r"[\\#$%&*|!?'\"`()\[\]{}<>@]|__|^[-+]")
_TOKENS = re.compile(r"[^\W_]+")

_UNFILLED = re.compile(  # anywhere in a text
    r"\{\{|\}\}|[$#@%]\{|\$\(|\{[%!$].*\}|<[%?]|%%[^%]+%%|\[\[.*\]\]|<<.*>>|\*\|.*\|\*"
)
_NAME = r"[^\w()\[\]{}<>@\"]*[^\W\d][^()\[\]{}<>@:,\"]*"
_WHOLE = re.compile(  # a whole text: `[user_id]`, `<nil>`, `{0}`, `%ID%`, `__ID__`, `%s`
    rf"\[{_NAME}\]|\{{{_NAME}\}}|<{_NAME}>|\([^\W\d][^\d()]*\)|\{{\d?\d\}}|%(\d\$)?[sdi@]|"
    r"(%|#|\||__|\$)[^\W\d][\w .-]*\2"
)
_URN = re.compile("^(urn:)?(uuid|guid):|^0x")
_ID_IN_BRACES = re.compile(r"\{[0-9a-f-]{16,}\}")
_ALL_ALIKE = re.compile(r"0+|f{12,}|([0-9a-f])\1{11,}|0{12}[1-8]0{3}[89ab]0{15}|f{12}[1-8]f{3}[89ab]f{15}")
_MINUS_ONE = re.compile(r"-1(\.0+)?")


def length_reason(text: str) -> str:
    """Return why a text is too long for a key or an id; empty for one that is not.

    It comes before `placeholder_reason`, whose cache must keep no long text.
    """
    return f"is longer than {MAX_KEY_LENGTH} characters" if len(text) > MAX_KEY_LENGTH else ""


@lru_cache(maxsize=4096)  # each payload of a session repeats its ids
def placeholder_reason(text: str, never: frozenset[str] = frozenset()) -> str:
    """Return why a key, a session id or a profile id identifies no person; empty for one that may identify a person.

    `text` has no `length_reason`. `never` are the folded values that a project lists.
    """
    if is_placeholder(text):
        return "is a placeholder and identifies no person"
    if never and folded(text) in never:
        return "identifies no person: `merging.never` in headrace.yaml lists it"
    return ""


def is_placeholder(text: str) -> bool:
    """Return whether programs send this text when they have no value."""
    plain = (folded(text) if not text.isascii() else text.lower()).strip(" \t\r\n'\"`")
    if not plain:
        return True
    if _MARKS.search(plain) is None:  # an ordinary id
        return _says_nothing(plain)
    return any(map(_is_left_over, {plain, unquote(plain)}))


def _is_left_over(text: str) -> bool:
    """Whether a text with punctuation is a template that no engine has filled, or says nothing."""
    if _MINUS_ONE.fullmatch(text) or _UNFILLED.search(text):
        return True
    if _WHOLE.fullmatch(text) and not _ID_IN_BRACES.fullmatch(text):
        return True
    local, at, domain = text.partition("@")
    if at and local and domain:  # an address: its parts, since `nil` and `null` are also names of people
        return local == "undefined" or (_says_nothing(local) and _says_nothing(domain.partition(".")[0]))
    return _says_nothing(text)


def _says_nothing(text: str) -> bool:
    """Whether the letters and digits of a text are those of a null, of the name of an id, or all alike."""
    bare = text.translate(_PUNCTUATION)
    if not bare:
        return len(set(text)) <= 2  # `--`, `[]`, `...`
    if bare in VALUES or (bare.isalpha() and _has_no_value(bare, text)):
        return True
    return _ALL_ALIKE.fullmatch(_URN.sub("", text).translate(_PUNCTUATION)) is not None


def _has_no_value(bare: str, text: str) -> bool:
    """Whether a text of letters is the name of an id, or consists of nulls and subjects, such as `guest user`."""
    if _NAME_OF_ID.fullmatch(bare) or _NO_VALUE.fullmatch(bare):
        return True
    words = _TOKENS.findall(text)
    return any(word in NULLS for word in words) and all(word in NULLS or word in SUBJECTS for word in words)

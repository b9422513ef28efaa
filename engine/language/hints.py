"""Remedies for frequent mistakes: the syntax of other languages, and its equivalent in ours."""

from engine.language.refusal import NOT_ALLOWED, SYNTAX

CHARACTERS = {
    "&": "write `and`",
    "!": "write `not`",
    "?": "write `a if condition else b`",
    "@": "write a dotted path, e.g. `event.properties.total`",
    "$": "JSONPath is a whole value that begins with `$.`; in an expression write a dotted path",
    "#": "an expression has no comments",
    "'": "the quote is never closed",
    '"': "the quote is never closed",
    "`": "write text in single or double quotes",
    "\\": "",
}

# Two adjacent tokens, by kind -> their text, and the remedy.
TOUCHING = {
    ("pipe", "pipe"): ("||", "write `or`"),
    ("eq", "assign"): ("===", "write `==`"),
    ("ne", "assign"): ("!==", "write `!=`"),
    ("lt", "gt"): ("<>", "write `!=`"),
    ("assign", "gt"): ("=>", "write `>=`"),
    ("assign", "lt"): ("=<", "write `<=`"),
    ("lbrace", "lbrace"): ("{{", "write it without {{ }}"),
}

# One token, by kind -> code, message, remedy.
TOKENS = {
    "assign": (SYNTAX, "`=` compares nothing", "to compare, write `==`"),
    "pow": (NOT_ALLOWED, "there is no power `**`", "multiply instead"),
    "semicolon": (SYNTAX, "unexpected `;`", "an expression is one value"),
}

# Units directly after a number -> the text to write in place of both.
UNITS = {
    "ms": "{}",
    "s": "{} * 1000",
    "m": "minutes({})",
    "min": "minutes({})",
    "h": "hours({})",
    "d": "days({})",
    "w": "days({} * 7)",
}

# Names where the syntax allows none -> the remedy.
WORDS = {
    "if": "write `a if condition else b`",
    "else": "write `a if condition else b`",
    "is": "write `value is defined` or `value is none`",
    "AND": "write `and`",
    "OR": "write `or`",
    "NOT": "write `not`",
    "IN": "write `in`",
    "IS": "write `is`",
    "has": "write `'vip' in profile.segments`: the value to look for comes first",
    "contains": "write `'vip' in profile.segments`: the value to look for comes first",
    "includes": "write `'vip' in profile.segments`: the value to look for comes first",
    "like": "write `value | matches('pattern')`",
    "matches": "write `value | matches('pattern')`",
    "startswith": "write `value | starts_with('text')`",
    "starts_with": "write `value | starts_with('text')`",
    "endswith": "write `value | ends_with('text')`",
    "ends_with": "write `value | ends_with('text')`",
    "equals": "write `==`",
    "eq": "write `==`",
    "ne": "write `!=`",
    "gt": "write `>`",
    "gte": "write `>=`",
    "lt": "write `<`",
    "lte": "write `<=`",
    "between": "write `1 <= value <= 5`",
    "exists": "write `value is defined`",
    "then": "write `a if condition else b`",
    "elif": "write `a if condition else b`",
    "null": "write `none`, or `value is none` to ask for it",
    "None": "write `none`, or `value is none` to ask for it",
    "nil": "write `none`, or `value is none` to ask for it",
    "undefined": "write `value is not defined`",
    "TRUE": "write `true`",
    "FALSE": "write `false`",
}

# Names that are not roots -> the remedy.
NO_ROOTS = {
    "properties": "write `event.properties`",
    "context": "write `event.context`",
    "type": "write `event.type`",
    "payload": "write `event.properties`",
    "traits": "write `profile.traits`",
    "pii": "write `profile.pii`",
    "consents": "write `profile.consents`",
    "segments": "write `profile.segments`",
    "node": "write `nodes`",
    "user": "write `profile`",
}

# Names of filters in other languages -> ours.
FILTERS = {
    "startswith": "starts_with",
    "startsWith": "starts_with",
    "endswith": "ends_with",
    "endsWith": "ends_with",
    "len": "length",
    "size": "length",
    "count": "length",
    "d": "default",
    "tojson": "json",
    "to_json": "json",
    "str": "string",
    "to_s": "string",
    "toLowerCase": "lower",
    "lowercase": "lower",
    "downcase": "lower",
    "toUpperCase": "upper",
    "uppercase": "upper",
    "upcase": "upper",
    "strip": "trim",
    "capitalize": "title",
    "regex": "matches",
    "match": "matches",
    "search": "matches",
    "sha256": "hash",
    "url_encode": "urlencode",
    "strftime": "format_date",
    "uniq": "unique",
    "sorted": "sort",
}

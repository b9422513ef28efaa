"""Calls of functions, filters and methods of other languages, and the same call in an expression here."""

from collections.abc import Sequence
from typing import Final

from engine.language.functions import FILTERS, FUNCTIONS
from engine.language.hints import FILTERS as RENAMED

# Expressions by the foreign name. {0} is the value before `|` or `.`, or the first argument; all are texts.
_EQUIVALENTS: Final = {
    **dict.fromkeys(("coalesce", "ifnull", "nvl", "if_null", "fallback", "getOrElse", "or_else"), "{0} | default({1})"),
    **dict.fromkeys(("exists", "isset", "defined", "is_defined", "isDefined", "is_set"), "{0} is defined"),
    **dict.fromkeys(("empty", "isEmpty", "is_empty", "blank"), "not {0}"),
    **dict.fromkeys(("is_null", "isNull", "isnull", "is_none"), "{0} is none"),
    **dict.fromkeys(("contains", "includes", "has", "hasOwnProperty", "in_array", "array_contains"), "{1} in {0}"),
    **dict.fromkeys(("concat", "concatenate"), "{0} ~ {1}"),
    **dict.fromkeys(("append", "push"), "{0} + [{1}]"),
    **dict.fromkeys(("floor",), "{0} // 1"),
    **dict.fromkeys(("ceil", "ceiling"), "-(-{0} // 1)"),
    **dict.fromkeys(("toFixed", "to_fixed", "number_format"), "{0} | round({1})"),
    **dict.fromkeys(("dateFormat", "format_time"), "{0} | format_date({1})"),
    **dict.fromkeys(("isoformat", "toISOString"), "{0} | format_date('%Y-%m-%dT%H:%M:%SZ')"),
    **dict.fromkeys(("getTime", "timestamp", "to_date", "to_datetime", "as_timestamp"), "{0} | date"),
    **dict.fromkeys(("strptime", "parse_time", "date_parse", "parseDateTime"), "{0} | parse_date({1})"),
    **dict.fromkeys(("regexp_match", "rlike", "test"), "{0} | matches({1})"),
    **dict.fromkeys(("re.match", "re.search", "re.fullmatch"), "{1} | matches({0})"),
    **dict.fromkeys(("substring", "substr"), "{0} | slice({1}, {2})"),
    **dict.fromkeys(("wordcount", "word_count"), "{0} | split | length"),
    **dict.fromkeys(("divisibleby",), "{0} % {1} == 0"),
    **dict.fromkeys(("plus", "add"), "{0} + {1}"),
    **dict.fromkeys(("minus", "sub"), "{0} - {1}"),
    **dict.fromkeys(("times", "mul"), "{0} * {1}"),
    **dict.fromkeys(("divided_by", "div"), "{0} / {1}"),
    **dict.fromkeys(("modulo", "mod"), "{0} % {1}"),
    **dict.fromkeys(("power", "POWER", "Math.pow"), "pow({0}, {1})"),
    **dict.fromkeys(("ln", "LN", "Math.log", "math.log"), "log({0})"),
    **dict.fromkeys(("log10", "Math.log10", "math.log10"), "log({0}, 10)"),
    **dict.fromkeys(("log2", "Math.log2", "math.log2"), "log({0}, 2)"),
    **dict.fromkeys(("md5", "sha1", "sha384", "sha512"), "{0} | hash('{name}')"),
    **dict.fromkeys(("sha256", "sha2", "sha"), "{0} | hash"),
    **dict.fromkeys(("hmac_sha256", "hash_hmac", "HMAC", "crypto.createHmac"), "{0} | hmac('KEY')"),
    **dict.fromkeys(("json_extract", "JSONExtractString", "get_json_object"), "{0} | from_json"),
    **dict.fromkeys(("items", "dictsort", "entries", "Object.entries", "to_entries", "iteritems"), "{0} | pairs"),
    **dict.fromkeys(("choice", "sample", "pick", "random.choice"), "random_choice({0})"),
    **dict.fromkeys(("day_of_week", "weekday", "dayofweek", "getDay", "isoweekday"), "{0} | format_date('%u') | int"),
    **dict.fromkeys(("hash_mod", "modulo_hash", "murmur", "murmurhash", "crc32", "fnv"), "bucket({0}, 100)"),
}
_NONE: Final = {
    **dict.fromkeys(
        ("regex_replace", "regexReplace", "re.sub", "gsub", "replaceAll", "replace_first", "sub_regex"),
        "`replace(old, new)` replaces a fixed text; there is no replacing by pattern",
    ),
    **dict.fromkeys(
        ("uuid", "uuid4", "guid"),
        "`event.id` is unique for each event",
    ),
    **dict.fromkeys(
        ("random", "rand", "randint", "random_int", "Math.random"),
        "write `random_choice(['a', 'b'])`, which draws from a list; for shares that stay, `bucket(profile.id, 100)`",
    ),
    **dict.fromkeys(
        ("env", "getenv", "secret", "secrets", "var", "config"),
        "flows read no secrets: write `${env:NAME}` in a target of headrace.yaml",
    ),
    **dict.fromkeys(
        ("safe", "escape", "e", "escape_once", "raw", "forceescape", "list", "newline_to_br"),
        "leave it out: values are inserted as they are",
    ),
    **dict.fromkeys(("money", "currency"), "round it, and write the currency as text: `(value | round(2)) ~ ' EUR'`"),
    **dict.fromkeys(("format", "sprintf", "printf"), "join texts by `~`: `'Hello ' ~ event.properties.name`"),
    **dict.fromkeys(("now", "today"), "write `now`: the time in milliseconds"),
}

_NOW: Final = ("now()", "utcnow()", "today()", "datetime.now()", "datetime.utcnow()", "Date.now()", "new Date()")


def remedy_for_call(name: str, arguments: Sequence[str]) -> str:
    """Return how to write the call of another language; empty when its name is not known. `arguments` are its texts."""
    if name in _NONE:
        return _NONE[name]
    arguments = ["now" if argument in _NOW else argument for argument in arguments]
    equivalent = _EQUIVALENTS.get(name)
    if equivalent is not None:
        try:
            return f"write `{equivalent.format(*arguments, name=name)}`"
        except IndexError:
            return f"write `{equivalent.format('value', 'a', 'b', name=name)}`"
    ours = RENAMED.get(name, name).rpartition(".")[2]
    if ours in FUNCTIONS and len(arguments) > 1:
        return f"write `{ours}({', '.join(arguments)})`"
    if ours not in FILTERS:
        return f"write `{ours}({', '.join(arguments)})`" if ours in FUNCTIONS else ""
    function = FILTERS[ours]
    rest = arguments[1:]
    fits = len(rest) >= function.min_arguments and (
        function.max_arguments is None or len(rest) <= function.max_arguments
    )
    if not arguments or not fits:
        return f"write `{function.usage}`"
    brackets = f"({', '.join(rest)})" if rest else ""
    return f"write `{arguments[0]} | {ours}{brackets}`"

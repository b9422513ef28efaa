"""Filters on addresses of the web, and on their parameters.

An address is data of a client: it may be any text. A part that it does not have is left out of the result. A parameter
that is repeated has its first value.
"""

from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote_plus, urlsplit

from engine.language.absent import ABSENT, Unfit
from engine.language.operators import capped_text
from engine.language.signature import need_text

URL_CAP: Final = 8_192  # characters
MAX_PARAMETERS: Final = 1_000

_UTM: Final = ("source", "medium", "campaign", "term", "content", "id")
CLICK_IDS: Final = (
    "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id", "epik", "rdt_cid",
    "ScCid", "yclid",
)  # fmt: skip


def parse_url(value: Any) -> dict[str, Any]:
    """The parts that an address has: `scheme`, `host`, `port`, `path`, `query`, its `params` by name, `fragment`."""
    url, port = _split(value, "parse_url")
    parts = {
        "scheme": url.scheme,
        "host": url.hostname,
        "port": port,
        "path": url.path,
        "query": url.query,
        "params": _parameters(url.query, "parse_url"),
        "fragment": url.fragment,
    }
    return {name: part for name, part in parts.items() if part not in (None, "")}


def query_param(value: Any, name: Any) -> Any:
    """The first value of a parameter of an address's query, decoded; absent when it has none of that name."""
    wanted = need_text(name, "query_param")
    return _parameters(_split(value, "query_param")[0].query, "query_param").get(wanted, ABSENT)


def utm(value: Any) -> dict[str, Any]:
    """The campaign of an address: its `source`, `medium`, `campaign`, `term`, `content`, `id` and `click_ids`."""
    parameters = _parameters(_split(value, "utm")[0].query, "utm")
    found: dict[str, Any] = {name: parameters.get(f"utm_{name}") for name in _UTM}
    found["click_ids"] = {name: parameters[name] for name in CLICK_IDS if parameters.get(name)}
    return {name: part for name, part in found.items() if part}


def urldecode(value: Any) -> str:
    """The text without percent-encoding, in which `+` is a space; bytes that are not UTF-8 become U+FFFD."""
    return capped_text(unquote_plus(need_text(value, "urldecode")))


def _split(value: Any, name: str) -> tuple[SplitResult, int | None]:
    """Return the parts of an address, and its port. Raises `Unfit` for a text that cannot be one."""
    text = need_text(value, name)
    if len(text) > URL_CAP:
        raise Unfit(f"`{name}` reads an address of at most {URL_CAP:,} characters")
    try:
        url = urlsplit(text.strip())
        return url, url.port
    except ValueError:
        raise Unfit(f"`{name}` needs an address, not {text[:40]!r}") from None


def _parameters(query: str, name: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise Unfit(f"`{name}` reads at most {MAX_PARAMETERS:,} parameters") from None
    found: dict[str, str] = {}
    for key, text in pairs:
        found.setdefault(key, text)
    return found

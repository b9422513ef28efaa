"""The filter that reads a browser's user agent.

`browser` and `os` have a `name` and a `version`; `device` has a `name`, a `brand` and a `model`. What the text does not
say is left out.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from engine.language.absent import Unfit
from engine.language.signature import need_text

if TYPE_CHECKING:
    from ua_parser import Parser

AGENT_CAP: Final = 2_048  # characters
_KNOWN: Final = 1_000  # texts whose results are kept
_ROBOT: Final = "Spider"  # the family of the device of a robot


def user_agent(value: Any) -> dict[str, Any]:
    """The `browser` and `os` (`name`, `version`), `device` (`name`, `brand`, `model`) and `robot` of a user agent."""
    text = need_text(value, "user_agent")
    if len(text) > AGENT_CAP:
        raise Unfit(f"`user_agent` reads at most {AGENT_CAP:,} characters: use `truncate`")
    text.encode()  # raises UnicodeError for half characters, which the parser cannot take
    found = _parser().parse(text)
    browser, system, device = found.user_agent, found.os, found.device
    parts = {
        "browser": browser and _named(browser.family, browser.major, browser.minor, browser.patch),
        "os": system and _named(system.family, system.major, system.minor, system.patch),
        "device": device and _filled({"name": device.family, "brand": device.brand, "model": device.model}),
        "robot": device is not None and device.family == _ROBOT,
    }
    return {name: part for name, part in parts.items() if part is not None}


@cache
def _parser() -> "Parser":
    """Return the parser. Importing it and reading its patterns takes a tenth of a second, so it is made when needed."""
    from ua_parser import Cache, CachingResolver, Parser, load_lazy_builtins
    from ua_parser.regex import Resolver

    return Parser(CachingResolver(Resolver(load_lazy_builtins()), Cache(_KNOWN)))


def _named(family: str, *version: str | None) -> dict[str, str]:
    parts = []
    for part in version:
        if part is None:
            break
        parts.append(part)
    return _filled({"name": family, "version": ".".join(parts)})


def _filled(parts: dict[str, str | None]) -> dict[str, str]:
    return {name: part for name, part in parts.items() if part}

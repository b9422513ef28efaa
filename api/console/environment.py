"""The templates of the console: Jinja2 with autoescape everywhere, and the filters that pages use."""

from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from api.console import words
from api.console.static import address_of

FILTERS: Final = {
    "ago": words.ago,
    "ahead": words.ahead,
    "clock": words.clock,
    "code": words.code,
    "day": words.day,
    "iso": words.iso,
    "literal": words.literal,
    "many": words.many,
    "prose": words.prose,
    "short_id": words.short_id,
    "took": words.took,
    "value": words.value,
    "visible": words.visible,
}


@cache
def environment() -> Environment:
    """Return the environment; templates are compiled once for each process. A name without a value is an error."""
    made = Environment(
        loader=PackageLoader("api.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS)
    made.globals["asset"] = address_of
    return made

"""The cause of a failure: its reason without the data of the event and the profile, so that equal causes are one.

Counts of runs are kept for a year and belong to no person, so nothing personal may be in them. A reason keeps the words
of Headrace and of the author; `{}` stands for the rest.
"""

import re
from functools import lru_cache
from typing import Final

from engine.language.quoting import HOLE, shape_of

MAX_CAUSE: Final = 200  # characters
MAX_READ: Final = 400  # characters of a reason; the rest is left out, since events may be long
MAX_FLOWS: Final = 256  # whose words are known

_QUOTED: Final = re.compile(r"`([^`]*)`|'([^']*)'|\"([^\"]*)\"")
_DATA: Final = re.compile(r"@|\d{4}|\d\.\d|^[0-9a-f]{16,}$")  # of a word
_HOLES: Final = re.compile(r"\{\}(?:[\s,;:]*\{\})+")


def cause_of(reason: str, flow_text: str, *, written_by_author: bool = False) -> str:
    """Return a reason without data. `flow_text` is the text of the flow, whose words the author has written.

    What a reason quotes is kept if the flow has it, such as a path. Of a reason that the author has written as a
    template, each word is kept that the flow has. It takes time in proportion to `MAX_READ`.
    """
    shape = shape_of(reason[:MAX_READ])
    text = _QUOTED.sub(lambda found: found[0] if _is_known(found, flow_text) else HOLE, shape)
    words = [HOLE if _DATA.search(word) else word for word in text.split()]
    if written_by_author:
        known = _words_of(flow_text)
        words = [word if word in known or word == HOLE else HOLE for word in words]
    return _HOLES.sub(HOLE, " ".join(words))[:MAX_CAUSE]


@lru_cache(MAX_FLOWS)
def _words_of(flow_text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\s\"'`]+", flow_text))


def _is_known(found: re.Match[str], flow_text: str) -> bool:
    inner = next((group for group in found.groups() if group is not None), "")
    return bool(inner) and inner in flow_text

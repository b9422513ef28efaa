"""The cause of a failure: its reason without the data of the event and the profile, so that equal causes are one.

Counts of runs are kept for a year and belong to no person, so nothing personal may be in them. A reason keeps the words
of Headrace and of the author; `{}` stands for the rest.
"""

import re
from typing import Final

from engine.language.quoting import HOLE, shape_of

MAX_CAUSE: Final = 200  # characters

_QUOTED: Final = re.compile(r"`([^`]*)`|'([^']*)'|\"([^\"]*)\"")
_DATA: Final = re.compile(r"\S*@\S*|\S*\d{4}\S*|\S*\d\.\d\S*|\b[0-9a-f]{16,}\b")
_HOLES: Final = re.compile(r"\{\}(?:[\s,;:]*\{\})+")


def cause_of(reason: str, flow_text: str, *, written_by_author: bool = False) -> str:
    """Return a reason without data. `flow_text` is the text of the flow, whose words the author has written.

    What a reason quotes is kept if the flow has it, such as a path. Of a reason that the author has written as a
    template, each word is kept that the flow has.
    """
    text = _QUOTED.sub(lambda found: found[0] if _is_known(found, flow_text) else HOLE, shape_of(reason))
    text = _DATA.sub(HOLE, text)
    if written_by_author:
        known = set(re.findall(r"[^\s\"'`]+", flow_text))
        text = " ".join(word if word in known or word == HOLE else HOLE for word in text.split())
    return _HOLES.sub(HOLE, text)[:MAX_CAUSE]


def _is_known(found: re.Match[str], flow_text: str) -> bool:
    inner = next((group for group in found.groups() if group is not None), "")
    return bool(inner) and inner in flow_text

"""The text of a flow in lines, cut into pieces for colouring: keys, ids of nodes, quoted texts and comments.

This only colours: nothing depends on its reading of YAML.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

Kind = Literal["", "y-k", "y-n", "y-s", "y-c"]

_PIECE: Final = re.compile(
    r"""(?P<comment>(?:^|(?<=\s))\#.*)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|(?P<key>[\w.*-]+:(?=\s|$))""",
    re.VERBOSE,
)


class Line(Struct, frozen=True):
    """A line of the source. `count` is how often its node ran, if a node begins here."""

    number: int
    pieces: list[tuple[Kind, str]]
    node: str = ""
    count: int | None = None
    marked: bool = False


def lines_of(
    text: str, nodes: Mapping[int, str], counts: Mapping[str, int] | None = None, marked: int | None = None
) -> list[Line]:
    """Return the lines of a flow. `nodes` are the ids of nodes by the line at which they begin, `counts` by id."""
    found: list[Line] = []
    for number, line in enumerate(text.splitlines(), 1):
        node = nodes.get(number, "")
        count = (counts or {}).get(node, 0) if node and counts is not None else None
        found.append(Line(number, list(_pieces(line, node)), node, count, number == marked))
    return found


def _pieces(line: str, node: str) -> Iterator[tuple[Kind, str]]:
    at = 0
    for match in _PIECE.finditer(line):
        if match.start() > at:
            yield "", line[at : match.start()]
        kind: Kind = "y-c" if match["comment"] else "y-s" if match["text"] else "y-k"
        yield "y-n" if node and match[0] == f"{node}:" else kind, match[0]
        at = match.end()
    if at < len(line):
        yield "", line[at:]

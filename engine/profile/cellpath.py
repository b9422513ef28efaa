"""Cell paths: where a cell lives, as one text.

Names are joined by dots. In a name `~` is written `~0`, `.` is `~1`, and an empty name is `~e`, so a dot always joins
and a segment that begins with `~m` or `~i` is never a name: `~m` + JSON is a set's member, `~i` + `time,index` a list's
element, by the time (ms) at which it was written and its place among what was written then.
"""

from functools import lru_cache

from msgspec.json import Decoder, Encoder

from engine.profile.document import CellPath, Path, Scalar

_encode = Encoder().encode
_decode = Decoder().decode

MEMBER = "~m"
ELEMENT = "~i"


def written(name: str) -> str:
    """A name as a segment of a cell path."""
    if "~" in name or "." in name:
        return name.replace("~", "~0").replace(".", "~1")
    return name or "~e"


def read(segment: str) -> str:
    """The name that a segment was written for."""
    if "~" not in segment:
        return segment
    return "" if segment == "~e" else segment.replace("~1", ".").replace("~0", "~")


@lru_cache(maxsize=4096)  # paths stand in flows: few, and asked for again and again
def cell_path(path: Path) -> CellPath:
    """The cell path of the register or counter at `path`."""
    return ".".join(map(written, path))


def path_of(cell: CellPath) -> Path:
    """The path that a cell path was made from."""
    return tuple(map(read, cell.split(".")))


def member_cell(parent: CellPath, member: Scalar) -> CellPath:
    """The cell of a set's member."""
    return f"{parent}.{MEMBER}{written(_encode(member).decode())}"


def member_of(segment: str) -> Scalar:
    """The member that a segment names."""
    value: Scalar = _decode(read(segment[len(MEMBER) :]))
    return value


def element_cell(parent: CellPath, time: int, index: int) -> CellPath:
    """The cell of a list's element."""
    return f"{parent}.{ELEMENT}{time},{index}"


def element_of(segment: str) -> tuple[int, int]:
    """(time, index) of a list's element; elements of one part stand in this order."""
    time, index = segment[len(ELEMENT) :].split(",")
    return int(time), int(index)

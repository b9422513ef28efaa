"""Cell paths: the path of a cell as one text.

Names are joined by dots. In a name `~` is written `~0`, `.` is `~1`, and an empty name is `~e`, so a dot always joins
and a segment that begins with `~m` or `~i` is never a name: `~m` + JSON is a set's member, `~i` + `time,index` a list's
element, by the time (ms) at which it was written and its index among the elements written at that time.
"""

from functools import lru_cache

from msgspec.json import Decoder, Encoder

from engine.profile.document import CellPath, Path, Scalar

_encode = Encoder().encode
_decode = Decoder().decode

MEMBER = "~m"
ELEMENT = "~i"


def escaped(name: str) -> str:
    """Return a name as a segment of a cell path."""
    if "~" in name or "." in name:
        return name.replace("~", "~0").replace(".", "~1")
    return name or "~e"


def unescaped(segment: str) -> str:
    """Return the name that `escaped` made a segment of."""
    if "~" not in segment:
        return segment
    return "" if segment == "~e" else segment.replace("~1", ".").replace("~0", "~")


@lru_cache(maxsize=4096)  # flows name few paths, and use them for every event
def cell_path(path: Path) -> CellPath:
    """Return the cell path of the register or counter at `path`."""
    return ".".join(map(escaped, path))


def path_of(cell: CellPath) -> Path:
    """Return the path that a cell path was made from."""
    return tuple(map(unescaped, cell.split(".")))


def member_cell(parent: CellPath, member: Scalar) -> CellPath:
    """Return the cell path of a member of the set at `parent`."""
    return f"{parent}.{MEMBER}{escaped(_encode(member).decode())}"


def member_of(segment: str) -> Scalar:
    """Return the member that a segment stands for."""
    value: Scalar = _decode(unescaped(segment[len(MEMBER) :]))
    return value


def element_cell(parent: CellPath, time: int, index: int) -> CellPath:
    """Return the cell path of an element of the list at `parent`; `time` is in ms."""
    return f"{parent}.{ELEMENT}{time},{index}"


def element_of(segment: str) -> tuple[int, int]:
    """Return (time in ms, index) of a list's element; this pair orders the elements of one part."""
    time, index = segment[len(ELEMENT) :].split(",")
    return int(time), int(index)

"""Notes that a node type gives of how its fields and ports go together; the words of a single field are in `node`."""

from engine.flow.node import Port


class InPlaceOf:
    """Field note: this field stands in place of `other`, so not both are given.

    One of the two is needed, unless the field `unless` is given.
    """

    def __init__(self, other: str, *, unless: str = "") -> None:
        self.other = other
        self.unless = unless


class ConsentNames:
    """Field note: the map's keys name consents, which the node changes. They are written out, never computed."""


class End(Port):
    """A way out of a node behind which the run is over: no edge leaves by it."""

    __slots__ = ()

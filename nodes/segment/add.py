from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from engine.flow.node import Fixed, Reference, Sole
from engine.profile.operations import Add, Operation
from nodes.change import ProfileChange


class SegmentAdd(ProfileChange, frozen=True, tag="segment.add"):
    """Put the profile into segments.

    Only segments with `manual: true` are filled by hand; the members of the others follow from their condition.
    """

    segments: Annotated[
        str | tuple[str, ...],
        Sole(),
        Fixed(),
        Reference("manual-segment"),
        Meta(description="The segment, or a list of segments", examples=["vip"]),
    ]

    commutes = True
    examples = (
        """\
vip:
  segment.add: vip
""",
        """\
welcome:
  segment.add: [customers, newsletter]
""",
    )

    def operations(self) -> Iterable[Operation]:
        """One `add` for each segment."""
        segments = (self.segments,) if isinstance(self.segments, str) else self.segments
        return [Add(("segments",), name) for name in segments]

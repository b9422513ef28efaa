from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from engine.flow.node import Fixed, Reference, Sole
from engine.profile.operations import Operation, Remove
from nodes.change import ProfileChange


class SegmentRemove(ProfileChange, frozen=True, tag="segment.remove"):
    """Take the profile out of segments.

    Only segments with `manual: true` are changed by hand. Removing a profile that is no member is no failure.
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
not_vip:
  segment.remove: vip
""",
    )

    def operations(self) -> Iterable[Operation]:
        """One `remove` for each segment."""
        segments = (self.segments,) if isinstance(self.segments, str) else self.segments
        return [Remove(("segments",), name) for name in segments]

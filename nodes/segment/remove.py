from engine.profile.operations import Remove
from nodes.change import SegmentChange


class SegmentRemove(SegmentChange, frozen=True, tag="segment.remove"):
    """Remove the profile from segments.

    This works for segments with `manual: true`; the members of all other segments follow from their condition. Removing
    a profile that is not a member has no effect; it is not a failure.
    """

    operation = Remove
    examples = (
        """\
not_vip:
  segment.remove: vip
""",
    )

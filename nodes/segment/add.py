from engine.profile.operations import Add
from nodes.change import SegmentChange


class SegmentAdd(SegmentChange, frozen=True, tag="segment.add"):
    """Add the profile to segments.

    This works for segments with `manual: true`; the members of all other segments follow from their condition.
    """

    operation = Add
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

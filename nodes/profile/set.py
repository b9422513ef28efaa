from collections.abc import Iterable
from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Keys, Sole
from engine.language.path import parse_path
from engine.profile.operations import Operation, Set
from nodes.change import ProfileChange


class ProfileSet(ProfileChange, frozen=True, tag="profile.set"):
    """Set values of the profile.

    A value replaces the old one; an object or a list replaces everything below its path.
    """

    values: Annotated[
        dict[str, Any],
        Sole(),
        Keys("traits", "pii", "consents"),
        Meta(description="The new values, by path", examples=[{"traits.tier": "gold"}], min_length=1),
    ]

    examples = (
        """\
last_order:
  profile.set: {traits.last_order: "{{ event.properties.order_id }}", consents.newsletter: true}
""",
    )

    def operations(self) -> Iterable[Operation]:
        """One `set` for each path."""
        return [Set(parse_path(path), value) for path, value in self.values.items()]

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from msgspec import Meta

from engine.flow.node import Fixed, Keys, Sole, Sparse
from engine.language.path import parse_path
from engine.profile.operations import Operation, Set
from nodes.change import ProfileChange


class ProfileSet(ProfileChange, frozen=True, tag="profile.set"):
    """Set values of the profile.

    A value replaces the old one; an object or a list replaces everything below its path. `profile.copy` writes the
    members of an object one by one.
    """

    values: Annotated[
        dict[str, Any],
        Sole(),
        Sparse(when=("absent", "skip")),
        Keys("traits", "pii", "consents"),
        Meta(description="The new values, by path", examples=[{"traits.tier": "gold"}], min_length=1),
    ]
    absent: Annotated[
        Literal["fail", "skip"],
        Fixed(),
        Meta(
            description="What an absent value does. fail: the node leaves by `failed`. skip: the node writes the "
            "other values; null counts as absent",
            examples=["skip"],
        ),
    ] = "fail"

    examples = (
        """\
last_order:
  profile.set: {traits.last_order: "{{ event.properties.order_id }}", consents.newsletter: true}
""",
        """\
remember:
  profile.set:
    values: {traits.city: "{{ event.properties.city }}", traits.last_order: "{{ event.properties.order_id }}"}
    absent: skip
""",
    )

    def operations(self) -> Iterable[Operation]:
        """One `set` for each path that has a value."""
        skipping = self.absent == "skip"
        return [Set(parse_path(path), value) for path, value in self.values.items() if not (skipping and value is None)]

from collections.abc import Iterable
from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Keys, Sole
from engine.language.path import parse_path
from engine.profile.operations import Append, Operation
from nodes.change import ProfileChange


class ProfileAppend(ProfileChange, frozen=True, tag="profile.append"):
    """Append values to lists of the profile.

    A missing list is created. A list keeps its newest 100 elements.
    """

    values: Annotated[
        dict[str, Any],
        Sole(),
        Keys("traits", "pii"),
        Meta(
            description="By the path of the list: the new element (a list becomes one element)",
            examples=[{"traits.searches": "{{ event.properties.query }}"}],
            min_length=1,
        ),
    ]

    commutes = True
    examples = (
        """\
remember:
  profile.append: {traits.orders: {id: "{{ event.properties.order_id }}", at: "{{ now }}"}}
""",
    )

    def operations(self) -> Iterable[Operation]:
        """One `append` for each path."""
        return [Append(parse_path(path), value) for path, value in self.values.items()]

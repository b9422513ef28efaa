from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Keys, Sole
from engine.language.path import parse_path
from engine.profile.document import Path
from engine.profile.operations import Operation, Set
from nodes.change import ProfileChange


class ProfileCopy(ProfileChange, frozen=True, tag="profile.copy"):
    """Copy the members of an object into the profile, one by one.

    Members that the profile has and the object has not stay as they are. A member that is an object itself is copied
    in the same way; null copies nothing. The sender decides which names are written below the path, so copy from
    sources that you trust, or to a path of its own.
    """

    objects: Annotated[
        dict[str, dict[str, Any]],
        Sole(),
        Keys("traits", "pii", whole=True),
        Meta(
            description="By the path below which the members are written: an object",
            examples=[{"traits": "{{ event.properties }}"}, {"traits.address": "{{ event.properties.address }}"}],
            min_length=1,
        ),
    ]

    examples = (
        """\
identify:
  profile.copy: {traits.form: "{{ event.properties }}"}
""",
    )

    def operations(self) -> Iterable[Operation]:
        """One `set` for each member that is neither null nor an object."""
        for path, members in self.objects.items():
            yield from _sets(parse_path(path), members)


def _sets(path: Path, members: Mapping[str, Any]) -> Iterator[Operation]:
    for name, value in members.items():
        if isinstance(value, dict):
            yield from _sets((*path, name), value)
        elif value is not None:
            yield Set((*path, name), value)

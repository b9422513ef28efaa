from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from engine.flow.node import Fixed, Keys, Outcome, Seen, Sole
from engine.language.path import parse_path
from engine.problem import Wrong
from engine.profile.operations import Operation, Unset
from nodes.change import ProfileChange


class ProfileUnset(ProfileChange, frozen=True, tag="profile.unset"):
    """Remove values from the profile, with all that is below them.

    Removing what is not there is no failure.
    """

    paths: Annotated[
        str | tuple[str, ...],
        Sole(),
        Fixed(),
        Keys("traits", "pii", "consents"),
        Meta(
            description="The path to remove, or a list of paths", examples=["traits.cart", ["traits.cart", "pii.phone"]]
        ),
    ]

    examples = (
        """\
cart_is_empty:
  profile.unset: traits.cart
""",
        """\
forget_contact:
  profile.unset: [pii.email, pii.phone]
""",
    )

    def run(self, seen: Seen) -> Outcome:
        """Remove the values, all of them at paths that can be read."""
        try:
            return super().run(seen)
        except Wrong as wrong:
            return self.failed(reason=wrong.problem.message)

    def operations(self) -> Iterable[Operation]:
        """One `unset` for each path."""
        paths = (self.paths,) if isinstance(self.paths, str) else self.paths
        return [Unset(parse_path(path)) for path in paths]

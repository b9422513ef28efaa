from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from engine.flow.node import Fixed, Keys, NodeContext, Outcome, Sole
from engine.language.path import parse_path
from engine.problem import Problem, ProblemError
from engine.profile.operations import Operation, Unset
from nodes.change import ProfileChange

_ROOTS = ("traits", "pii", "consents")


class ProfileUnset(ProfileChange, frozen=True, tag="profile.unset"):
    """Remove values from the profile, with everything below them.

    Removing a missing value has no effect; it is not a failure.
    """

    paths: Annotated[
        str | tuple[str, ...],
        Sole(),
        Fixed(),
        Keys(*_ROOTS),
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

    def run(self, context: NodeContext) -> Outcome:
        """Remove the values; leave by `failed` when a path is not valid."""
        try:
            return super().run(context)
        except ProblemError as error:
            return self.failed(reason=error.problem.message)

    def operations(self) -> Iterable[Operation]:
        """One `unset` for each path. Raises `ProblemError` for a path that cannot be parsed or removed."""
        for text in (self.paths,) if isinstance(self.paths, str) else self.paths:
            path = parse_path(text)
            if path[0] not in _ROOTS or len(path) < 2:
                raise ProblemError(Problem(code="H114", message=f"`profile.unset` cannot remove `{text}`"))
            yield Unset(path)

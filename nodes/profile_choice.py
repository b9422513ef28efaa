"""The parent of the node types that choose a profile by its id or by a key."""

from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, ProfileById
from engine.flow.node import Keys, Node, NodeContext, Outcome, Port, Text
from engine.profile.document import Scalar
from engine.profile.operations import Refused
from nodes.join import visible_kind
from nodes.key import Key, read_id, read_single_key

OneKey = Annotated[
    Annotated[dict[str, Scalar], Meta(min_length=1, max_length=1)] | None,
    Keys("traits", "pii"),
    Meta(
        description="Instead of `id`: the path of a key and its value",
        examples=[{"pii.email": "{{ event.properties.email }}"}],
    ),
]


class ProfileChoice(Node, frozen=True):
    """A node that asks for one stored profile."""

    id: Annotated[
        Text | None, Meta(description="The id of the profile", examples=["{{ event.properties.profile_id }}"])
    ] = None
    key: OneKey = None

    uses_profile = True

    missing = Port("There is no such profile")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the profile; leave by `failed` when the id or key identifies none."""
        try:
            if (self.id is None) == (self.key is None):
                raise Refused("give either an `id` or a `key`")
            if self.key is not None:
                return self._ask_by_key(read_single_key(self.key, context.keys), context)
            return ProfileById(read_id(str(self.id), context.keys))
        except Refused as refused:
            return self.failed(reason=str(refused))

    def _ask_by_key(self, key: Key, context: NodeContext) -> Ask:
        """Return the ask for the holder of a key, of those that the sender may see."""
        return key.ask(visible_kind(context))

from typing import Annotated, Any

from msgspec import Meta

from engine.flow.ask import Ask, ProfileReply, Reply
from engine.flow.effect import Effect, Merge
from engine.flow.node import Keys, Node, Outcome, Port, Seen, Sole
from engine.language.path import read
from engine.profile.document import Profile
from nodes.key import Key, OneKey, placeholder, read_key
from nodes.reply import refusal


class ProfileMerge(Node, frozen=True, tag="profile.merge"):
    """Recognise who this is by a key, and join the profiles that share it.

    The first profile with a key keeps it; whoever brings it later is joined with that profile. The value is stripped,
    and an e-mail address is lower-cased. Placeholders such as `null` or `anonymous` never join anybody.
    """

    key: Annotated[
        OneKey,
        Sole(),
        Keys("traits", "pii"),
        Meta(description="The path of the key and its value", examples=[{"pii.email": "{{ event.properties.email }}"}]),
    ]

    uses_profile = True
    examples = (
        """\
recognise:
  profile.merge: {pii.email: "{{ event.properties.email }}"}
""",
    )

    merged = Port("The profile has been joined with another one", main=True)
    unchanged = Port("Nobody else has the key", main=True)

    def ask(self, seen: Seen) -> Ask | Outcome:
        """Ask whose key it is."""
        if seen.profile is None:
            return self.failed(reason="no profile")
        key = read_key(self.key)
        if reason := placeholder(key.text, key.path):
            return self.failed(reason=reason)
        return key.asked()

    def answer(self, seen: Seen, reply: Reply) -> Outcome:
        """Join the profile with the one that was found, if it is another one."""
        if not isinstance(reply, ProfileReply) or seen.profile is None:
            return self.failed(reason=refusal(reply))
        own, key, other = seen.profile, read_key(self.key), reply.profile
        shown: list[Effect] = [] if key.is_value(read(own, key.names)) else [key.written()]
        if other is None:
            return self.unchanged({"id": own["id"]}, [key.claimed(), *shown])
        if reply.claimed:
            shown = [key.claimed(again=True), *shown]
        if not set(other.ids).isdisjoint(own["ids"]):
            return self.unchanged({"id": own["id"]}, shown)
        return self.merged({"id": other.id}, [_join(own["id"], other, reply, key), *shown])


def _join(own: Any, other: Profile, reply: ProfileReply, key: Key) -> Effect:
    right = reply.under or other.id
    return Merge(other, left=own, right=right, cause=key.cause, claimed=reply.claimed)

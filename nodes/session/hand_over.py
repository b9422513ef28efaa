from typing import Annotated

from msgspec import Meta

from engine.flow.effect import HandOver
from engine.flow.node import End, Keys, Node, NodeContext, Outcome, Port, Sole, Sparse
from engine.language.path import read, show_path
from engine.profile.document import Scalar
from engine.profile.operations import Refused
from nodes.join import link_kind
from nodes.key import Key, read_single_key


class SessionHandOver(Node, frozen=True, tag="session.hand_over"):
    """Hand the session over to another person, who is known by an exclusive key: a second customer at one computer.

    The run is given up. Its event, and those behind it in the payload, are processed again from the beginning as events
    of the other person; nothing of them stays with the profile that the run had. The session leads to the other person
    from then on. An event can be handed over once. The key must be declared as exclusive in `headrace.yaml`.
    """

    key: Annotated[
        dict[str, Scalar],
        Sole(),
        Sparse(),
        Keys("traits", "pii"),
        Meta(
            description="The path of an exclusive key, and the value of the other person",
            examples=[{"traits.customer": "{{ event.properties.customer }}"}],
            min_length=1,
            max_length=1,
        ),
    ]

    uses_profile = True
    uses_sender = True
    identifies = True
    examples = (
        """\
bob:
  session.hand_over: {traits.customer: "{{ event.properties.customer }}"}
""",
    )

    same = Port("The profile has this value already", main=True)
    handed_over = End("The event is processed again as one of the other person; no node can follow")

    def run(self, context: NodeContext) -> Outcome:
        """Hand the session over, unless the profile is that of the person."""
        if context.session is None or context.profile is None:
            return self.failed(reason="no session" if context.session is None else "no profile")
        try:
            key = read_single_key(self.key, context.keys)
            _require_exclusive(key, context)
        except Refused as refused:
            return self.failed(reason=str(refused))
        if key.matches(read(context.profile, key.names)):
            return self.same()
        kind = link_kind(context, key)
        if kind == "claim" and context.identify == "refuse":
            return self.failed(reason="this source may not identify profiles")
        if context.handed_over:
            return self.failed(reason="the event has been handed over before")
        return self.handed_over(effects=[HandOver(key.names, key.text, kind)])


def _require_exclusive(key: Key, context: NodeContext) -> None:
    if key.names not in context.keys.exclusive:
        path = show_path(key.names)
        raise Refused(f"`{path}` is not exclusive: declare `keys: {{{path}: {{exclusive: true}}}}` in headrace.yaml")

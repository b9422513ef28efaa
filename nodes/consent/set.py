from typing import Annotated

from msgspec import Meta

from engine.flow.node import ConsentNames, Fixed, IsDuration, Node, NodeContext, Outcome, Port, Sole
from engine.profile.consent import Decision, decision_operations


class ConsentSet(Node, frozen=True, tag="consent.set"):
    """Give consents, or take them back.

    What is written is when that was (`given` or `revoked`, in ms), and when it `expires`; it replaces what stood there.
    `consents:` on a flow or a node asks for it.
    """

    consents: Annotated[
        dict[str, bool],
        Sole(),
        ConsentNames(),
        Meta(
            description="By the name of a consent: true gives it, false takes it back",
            examples=[{"newsletter": True}],
            min_length=1,
        ),
    ]
    expires_in: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        IsDuration(),
        Fixed(),
        Meta(description="How long what is given holds; for good when left out", examples=["365d"]),
    ] = None

    uses_profile = True
    examples = (
        """\
agreed:
  consent.set: {newsletter: true, profiling: "{{ event.properties.profiling == true }}"}
""",
        """\
agreed:
  consent.set: {consents: {newsletter: true}, expires_in: 365d}
""",
    )

    done = Port("The profile says so now", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Leave with one `set` for each consent, or by `failed` when the run has no profile."""
        if context.profile is None:
            return self.failed(reason="no profile")
        decisions = {name: Decision(given, self.expires_in) for name, given in self.consents.items()}
        return self.done(effects=tuple(decision_operations(context.profile["consents"], decisions, context.now)))

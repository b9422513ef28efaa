from typing import Annotated

from msgspec import Meta

from engine.flow.node import ConsentNames, Fixed, IsDuration, Node, NodeContext, Outcome, Port, Sole
from engine.profile.consent import Decision, decision_operations


class ConsentSet(Node, frozen=True, tag="consent.set"):
    """Grant consents, or revoke them.

    The profile then has the time of the decision (`given` or `revoked`, in ms) and of its end (`expires`), in place of
    the earlier decision. `consents:` on a flow or a node requires a consent.
    """

    consents: Annotated[
        dict[str, bool],
        Sole(),
        ConsentNames(),
        Meta(
            description="By name of the consent: true grants it, false revokes it",
            examples=[{"newsletter": True}],
            min_length=1,
        ),
    ]
    expires_in: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        IsDuration(),
        Fixed(),
        Meta(description="How long the granted consents are valid; without it they do not expire", examples=["365d"]),
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

    done = Port("The profile has the decisions", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Leave with one `set` for each consent, or by `failed` when the run has no profile."""
        if context.profile is None:
            return self.failed(reason="no profile")
        decisions = {name: Decision(given, self.expires_in) for name, given in self.consents.items()}
        return self.done(effects=tuple(decision_operations(context.profile["consents"], decisions, context.now)))

"""What replies have in common."""

from engine.flow.ask import NoAnswer, Reply


def refusal(reply: Reply) -> str:
    """Why there is no answer of the kind that was asked for."""
    return reply.reason if isinstance(reply, NoAnswer) else f"a reply of another kind: {type(reply).__name__}"

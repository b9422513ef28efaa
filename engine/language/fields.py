"""The fields of the roots, with the kinds of their values."""

from typing import Final

from engine.language.kinds import (
    A_BOOLEAN,
    A_LIST,
    A_NUMBER,
    A_TEXT,
    ANY_OBJECT,
    OBJECT,
    TEXT,
    Shape,
    Shapes,
)

PROFILE: Final = Shape(
    OBJECT,
    {
        "id": A_TEXT,
        "ids": A_LIST,
        "traits": ANY_OBJECT,
        "pii": ANY_OBJECT,
        "consents": ANY_OBJECT,
        "segments": A_LIST,
        "counters": ANY_OBJECT,
        "metadata": Shape(
            OBJECT,
            dict.fromkeys(
                ("created", "updated", "version", "first_seen", "last_seen", "previous_seen", "visits"), A_NUMBER
            ),
        ),
    },
)
EVENT: Final = Shape(
    OBJECT,
    {
        "id": A_TEXT,
        "type": A_TEXT,
        "properties": ANY_OBJECT,
        "context": ANY_OBJECT,
        "time": A_NUMBER,
        "received": A_NUMBER,
        "origin": Shape(TEXT, {}, words=("client", "flow", "system")),
        "late": A_BOOLEAN,
        "refused": A_LIST,
    },
)
FIELDS: Final[Shapes] = {
    "event": EVENT,
    "awaited": EVENT,
    "session": Shape(OBJECT, {"id": A_TEXT, "created": A_NUMBER, "properties": ANY_OBJECT, "context": ANY_OBJECT}),
    "source": Shape(
        OBJECT,
        {
            "id": A_TEXT,
            "kind": Shape(TEXT, {}, words=("public", "secret")),
            "consent": A_BOOLEAN,
            "times": Shape(TEXT, {}, words=("occurred", "received")),
        },
    ),
    "profile": PROFILE,
    "now": A_NUMBER,
}


def with_outputs(outputs: Shapes) -> Shapes:
    """Return the fields of all roots, those of `nodes` by the shapes of the nodes' outputs."""
    return {**FIELDS, "nodes": Shape(OBJECT, {id: Shape(OBJECT, {"out": shape}) for id, shape in outputs.items()})}

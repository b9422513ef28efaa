"""The audit log: a record of each action of an operator, kept apart from what the action was about."""

from typing import Literal

from msgspec import Struct

AuditOutcome = Literal["done", "failed", "refused"]


class AuditEntry(Struct, frozen=True, omit_defaults=True):
    """An action: when (ms), by whom, and how it ended.

    `who` is the name of a user or an access key; `via` says by which kind of credential it came. `subjects` are names
    like `flow/greet` or `profile/ID`, without personal data. `reason` is what the operator gave as one; `detail` says
    what came of it.
    """

    id: str
    at: int
    who: str
    role: str
    via: str
    action: str
    outcome: AuditOutcome
    subjects: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""

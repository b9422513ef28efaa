"""The queries of a stream: one text for events and runs."""

from collections.abc import Iterable, Mapping
from typing import Final

from engine.ports.following import FOLLOWED
from engine.ports.kinds import SEARCHABLE
from engine.problem import ProblemError
from engine.profile.declared import Fields
from engine.search.parse import parse
from engine.search.query import Query
from engine.tracking.intake.payload import Refusal

UNKNOWN_FIELD: Final = "unknown-field"


def queries_of(text: str, kinds: Iterable[str], now: int, declared: Fields) -> Mapping[str, Query]:
    """Return the query of each kind, as `text` says at `now` (ms). A kind that lacks a field of it finds nothing.

    Raises `Refusal` for kinds that cannot be followed, and for a text that is a query of none of them.
    """
    found: dict[str, Query] = {}
    failure: ProblemError | None = None
    for kind in kinds:
        if kind not in FOLLOWED:
            raise Refusal("malformed", f"`{kind}` cannot be followed: write `kinds={','.join(FOLLOWED)}`")
        try:
            found[kind] = parse(text, SEARCHABLE[kind], now, declared)
        except ProblemError as error:
            failure = failure or error
            if error.problem.code != UNKNOWN_FIELD:
                break
    if found and (failure is None or failure.problem.code == UNKNOWN_FIELD):
        return found
    if failure is None:
        raise Refusal("malformed", f"`kinds` names nothing to follow: write `kinds={','.join(FOLLOWED)}`")
    problem = failure.problem
    detail = f"`q` at {(problem.offset or 0) + 1}: {problem.message}"
    raise Refusal("malformed", f"{detail}; {problem.help}" if problem.help else detail)

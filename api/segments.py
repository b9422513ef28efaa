"""Segments over HTTP: their list, the progress of re-evaluating all profiles, and the membership of a profile."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from api.access.directory import mask_of
from api.access.option import access
from api.description.operation import described
from api.documents.operating import SEGMENT, Segments
from api.documents.profile import MEMBERSHIP, Membership
from engine.ports.resolve import resolve_profile
from engine.ports.store import Store
from engine.ports.world import Clock
from engine.project.explanation import NoSuchSegment, describe_segment, explain_segment
from engine.project.project import Project
from engine.tracking.operations.reevaluation import SegmentProgress, progress_of


class Listed(Struct, frozen=True):
    """The segments, and the progress of re-evaluating all profiles since the segments last changed."""

    segments: list[dict[str, Any]]
    progress: SegmentProgress | None


def segment_handlers(store: Store, project: Callable[[], Project], clock: Clock) -> list[HTTPRouteHandler]:
    """`GET /segments` and `GET /profiles/ID/segments/SEGMENT`."""

    @get(
        "/segments",
        summary="The segments, and the progress of re-evaluating all profiles since they changed",
        opt=access("viewer") | described("listSegments", Segments, example={"segments": [SEGMENT], "progress": None}),
    )
    async def segments() -> Listed:
        described = [describe_segment(segment) for _, segment in sorted(project().segments.items())]
        return Listed(described, await progress_of(store))

    @get(
        "/profiles/{id:str}/segments/{segment:str}",
        summary="Whether a profile belongs to a segment, and why",
        opt=access("viewer") | described("explainMembership", Membership, example=MEMBERSHIP),
    )
    async def membership(request: Request[Any, Any, Any], id: FromPath[str], segment: FromPath[str]) -> dict[str, Any]:
        profile = await resolve_profile(store, id)
        if profile is None:
            raise NotFoundException(f"no profile has the id {id}: it is what /track answers as `profile.id`")
        try:
            explained = explain_segment(project(), profile, segment, clock.now())
        except NoSuchSegment as unknown:
            raise NotFoundException(str(unknown)) from unknown
        return mask_of(request).explained(msgspec.to_builtins(explained))

    return [segments, membership]

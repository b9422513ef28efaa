"""`/console/profiles/ID/unmerge` and `.../forget`: undoing a link and erasing a person, each after a question."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect
from msgspec import Struct

from api.access.audit import audited
from api.access.option import access
from api.console.pages.login import texts_of
from api.console.profile_page import LinkView, links_of, name_of
from api.console.site import Site, link, path_of
from api.forgetting import Forgettings
from api.problem import HttpProblem
from api.serialize import serialize_record
from engine.ports.resolve import NotFound, require_profile
from engine.profile.document import Link, Profile
from engine.profile.grouping import regroup
from engine.profile.linking import Pool, undo
from engine.profile.merge_history import describe_link
from engine.tracking.operations.unmerging import link_of, unmerge_served

TAB: Final = "/console/profiles"
Named = Annotated[str, QueryParameter(name="link")]
SIGNS: Final = 6  # of an id, that an administrator types to forget its person


class Side(Struct, frozen=True):
    """A profile that there is once a link is undone, with its ids."""

    id: str
    ids: tuple[str, ...]


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handlers of undoing a link, and of forgetting a person."""
    return [*_unmerging(site), *_forgetting(site)]


def _unmerging(site: Site) -> list[HTTPRouteHandler]:
    @get(f"{TAB}/{{id:str}}/unmerge", include_in_schema=False, opt=access("operator"))
    async def question(request: Request[Any, Any, Any], id: FromPath[str], named: Named = "") -> Response[str]:
        profile, undone = await _link_of(site, id, named)
        sides = _sides(profile, undone, site.clock.now())
        document = site.shown(request, serialize_record(profile, site.project.settings.fields))
        return site.page(
            request,
            "unmerge.html",
            tab=TAB,
            profile=profile.id,
            name=name_of(document),
            each=_view(profile.id, undone),
            gone=bool(undone.undone),
            sides=sides,
            here=path_of("profiles", profile.id),
            action=path_of("profiles", profile.id, "unmerge"),
        )

    @post(f"{TAB}/{{id:str}}/unmerge", include_in_schema=False, opt=access("operator"))
    async def unmerge(request: Request[Any, Any, Any], id: FromPath[str]) -> Redirect:
        form = await texts_of(request)
        named = form.get("link", "")
        try:
            subjects = (f"profile/{id}", f"link/{named}")
            async with audited(request, "unmerge a profile", *subjects, reason=form.get("reason", "")) as notes:
                undone = await unmerge_served(site.pipeline, id, named)
                notes.detail = f"{len(undone.profiles)} profiles"
        except NotFound as unknown:
            raise NotFoundException(str(unknown)) from unknown
        # The undone link stays with the id that it belonged to.
        return Redirect(link(path_of("profiles", undone.link.left), show="merges"), status_code=303)

    return [question, unmerge]


def _forgetting(site: Site) -> list[HTTPRouteHandler]:
    @get(f"{TAB}/{{id:str}}/forget", include_in_schema=False, opt=access("admin"))
    async def question(request: Request[Any, Any, Any], id: FromPath[str]) -> Response[str]:
        return await _ask(site, request, id)

    @post(f"{TAB}/{{id:str}}/forget", include_in_schema=False, opt=access("admin"))
    async def forget(request: Request[Any, Any, Any], id: FromPath[str]) -> Response[Any]:
        form = await texts_of(request)
        profile = await _profile(site, id)
        if form.get("signs", "").strip().lower() != profile.id[:SIGNS].lower():
            return await _ask(site, request, id, wrong=True)
        forgettings: Forgettings = request.app.state.forgettings
        try:
            # The entry must not keep the erased id.
            async with audited(request, "forget a profile", reason=form.get("reason", "")) as notes:
                begun = await forgettings.begin(profile.id, form.get("claims") == "yes")
                notes.subjects = (f"forgetting/{begun.id}",)
        except NotFound as unknown:
            raise NotFoundException(str(unknown)) from unknown
        return site.page(request, "forgotten.html", tab=TAB, name=begun.id)

    return [question, forget]


async def _ask(site: Site, request: Request[Any, Any, Any], id: str, *, wrong: bool = False) -> Response[str]:
    profile = await _profile(site, id)
    document = site.shown(request, serialize_record(profile, site.project.settings.fields))
    return site.page(
        request,
        "forget.html",
        tab=TAB,
        status=422 if wrong else 200,
        profile=profile.id,
        name=name_of(document),
        ids=profile.ids,
        signs=SIGNS,
        wrong=wrong,
        here=path_of("profiles", profile.id),
        action=path_of("profiles", profile.id, "forget"),
    )


async def _profile(site: Site, id: str) -> Profile:
    try:
        return await require_profile(site.store, id)
    except NotFound as unknown:
        raise NotFoundException(str(unknown)) from unknown


async def _link_of(site: Site, id: str, named: str) -> tuple[Profile, Link]:
    profile = await _profile(site, id)
    if not named:
        raise HttpProblem(400, "name the link to undo")
    try:
        return profile, link_of(profile, named)
    except NotFound as unknown:
        raise NotFoundException(str(unknown)) from unknown


def _view(profile: str, undone: Link) -> LinkView:
    (found,) = links_of(profile, {"links": [describe_link(undone)]})
    return found


def _sides(profile: Profile, undone: Link, now: int) -> list[Side]:
    """Return the profiles that there are once the link is undone."""
    pool = undo(Pool(profile.parts, profile.links), undone.id, now)
    regrouped = regroup(pool, (profile,), profile.id)
    return [Side(each.id, each.ids) for each in regrouped.profiles]

"""`/console/tracing`: the button *Trace fully for 10 minutes* of a flow, a profile or a type of events."""

from typing import Any, Final

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from api.access.audit import audited
from api.access.option import access
from api.access.principal import principal_of
from api.console.pages.login import texts_of
from api.console.signing_in import inside
from api.console.site import HEADERS, Site
from api.problem import HttpProblem
from api.tracing import refresh
from effects.ids import new_id
from engine.tracking.intake.payload import Refusal
from engine.tracking.tracing import MINUTE, Switch, TooManySwitches, switch_on

PATH: Final = "/console/tracing"
MINUTES: Final = 10
_NAMES: Final = ("flow", "profile", "session", "type")


def handlers(site: Site) -> list[HTTPRouteHandler]:
    """Return the handler of the form."""

    @post(PATH, status_code=200, include_in_schema=False, opt=access("operator"))
    async def trace(request: Request[Any, Any, Any]) -> Response[Any]:
        form, now = await texts_of(request), site.clock.now()
        chosen = {name: form[name] for name in _NAMES if form.get(name)}
        if not chosen:
            raise Refusal("malformed", "name a flow, a profile, a session or a type of events")
        switch = Switch(id=new_id(), until=now + MINUTES * MINUTE, by=principal_of(request).name, **chosen)
        subjects = [f"{name}/{value}" for name, value in chosen.items() if name == "flow"]
        async with audited(request, "trace fully", *subjects) as notes:
            notes.detail = f"{', '.join(chosen)}, for {MINUTES} minutes"
            try:
                await switch_on(site.store, switch, now)
            except TooManySwitches as many:
                raise HttpProblem(409, str(many) or "too many are traced fully: wait until one ends") from many
        await refresh(site.pipeline)
        return Redirect(inside(form.get("next", "")), status_code=303, headers=dict(HEADERS))

    return [trace]

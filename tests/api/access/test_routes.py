"""Every route of the application, and the least role that reaches it: a new route has to be added here."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from litestar import Litestar, Response, get
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute
from litestar.testing import AsyncTestClient

from api.access.credentials import Credentials
from api.access.directory import Directory
from api.access.guard import AccessGuard
from api.access.option import Unguarded, access, access_of, answers_options, require_access
from api.access.role import ROLES, Role, allows
from api.problem import HttpProblem
from effects.clock import SystemClock
from storage.memory import MemoryStore
from tests.api.conftest import FOREIGN, Serve
from tests.projects import project

FLOW = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
ROUTES: Final = """
public     *    /collect
public     *    /consent
public     *    /track
public     GET  /
public     GET  /console/static/{path}
public     GET  /health/live
public     GET  /health/ready
public     GET  /schema
public     GET  /schema/openapi.json
public     GET  /tracker.js
viewer     GET  /console
viewer     GET  /console/deliveries
viewer     GET  /console/deliveries/{id}
operator   GET  /console/deliveries/change
operator   POST /console/deliveries/{what}
viewer     GET  /console/events
viewer     GET  /console/events/{id}
viewer     GET  /console/flows
viewer     GET  /console/flows/{name}
public     GET  /console/login
public     POST /console/login
public     POST /console/login/setup
viewer     GET  /console/account
viewer     POST /console/account/password
viewer     POST /console/logout
operator   POST /console/personal
admin      GET  /console/audit
admin      GET  /console/users
admin      POST /console/users
admin      POST /console/users/keys
admin      POST /console/users/keys/{name}/remove/it
admin      POST /console/users/{name}/{change}
viewer     GET  /console/profiles
viewer     GET  /console/profiles/{id}
viewer     GET  /console/health
viewer     *    /console/live
viewer     GET  /console/problems
operator   GET  /console/profiles/{id}/unmerge
operator   POST /console/profiles/{id}/unmerge
admin      GET  /console/profiles/{id}/forget
admin      POST /console/profiles/{id}/forget
viewer     GET  /console/rejected
viewer     GET  /console/rejected/{id}
operator   POST /console/rejected/{id}/resubmit
viewer     GET  /console/runs
viewer     GET  /console/runs/{id}
viewer     GET  /console/schemas
viewer     GET  /console/schemas/{type}
viewer     POST /console/search
viewer     GET  /console/segments
viewer     GET  /console/segments/{name}
viewer     POST /console/segments/{name}/explain
viewer     GET  /console/tasks
viewer     GET  /console/tasks/{name}
operator   POST /console/tasks/{name}/{change}
operator   GET  /console/waits/cancel
operator   POST /console/waits/cancel
viewer     GET  /counts
viewer     GET  /deliveries
viewer     GET  /deliveries/{id}
viewer     GET  /events/{id}
viewer     GET  /events/{id}/runs
viewer     GET  /forgettings
viewer     GET  /forgettings/{name}
viewer     GET  /metrics
viewer     *    /live
viewer     GET  /profiles/{id}
viewer     GET  /profiles/{id}/events
viewer     GET  /profiles/{id}/segments/{segment}
viewer     GET  /profiles/{id}/sessions
viewer     GET  /profiles/{id}/timeline
viewer     POST /profiles/find
viewer     GET  /rejected
viewer     GET  /runs/{id}
viewer     GET  /schemas
viewer     GET  /schemas/{type}
viewer     GET  /search/{kind}
viewer     GET  /segments
viewer     GET  /tasks
viewer     GET  /tasks/{name}
viewer     GET  /tracing
viewer     GET  /waits
viewer     GET  /waits/{id}
operator   POST /deliveries/drop
operator   POST /deliveries/retry
operator   POST /profiles/{id}/unmerge
operator   POST /console/tracing
operator   GET  /console/replay
operator   POST /console/replay/apply
operator   POST /replays
operator   POST /replays/apply
operator   POST /tasks/{name}/pause
operator   POST /tasks/{name}/resume
operator   POST /tasks/{name}/run
operator   DELETE /tracing/{id}
operator   POST /tracing
operator   POST /waits/cancel
admin      GET  /access/keys
admin      GET  /access/users
admin      POST /access/keys
admin      POST /access/keys/{name}/remove
admin      POST /access/users
admin      POST /access/users/{name}/remove
admin      POST /access/users/{name}/reset
admin      POST /access/users/{name}/role
admin      GET  /import/{digest}
admin      GET  /profiles/{id}/export
admin      POST /import
admin      POST /import/{digest}/begin
admin      POST /import/{digest}/rows
admin      POST /profiles/{id}/forget
"""


def handlers(app: Litestar) -> Iterator[tuple[str, BaseRouteHandler]]:
    """Yield each route's methods and path, with its handler."""
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]:
            if not answers_options(handler):
                methods = sorted(set(getattr(handler, "http_methods", ["*"])) - {"HEAD"})
                yield f"{'/'.join(methods):4} {re.sub(r':[a-z]+}', '}', route.path)}", handler


async def test_every_route_takes_the_role_of_the_table(serve: Serve) -> None:
    app: Litestar = (await serve(project(FLOW))).app
    found = {f"{access_of(handler)!s:10} {name}" for name, handler in handlers(app)}
    expected = set(ROUTES.strip().splitlines())
    assert expected <= found
    for other in sorted(found - expected):
        needed, _, path = other.split()
        assert needed == "public", other
        assert path.startswith(("/webhook", "/event/hook", "/tracker.", "/console/static/")) or any(
            address.startswith(path) for address in FOREIGN
        ), other


def asked() -> list[tuple[str, str, str]]:
    """Return role, method and path of each route that is not public."""
    rows = [row.split() for row in ROUTES.strip().splitlines()]
    return [(needed, method, path) for needed, method, path in rows if needed != "public"]


async def test_a_request_without_credentials_reaches_no_route_of_an_operator(serve: Serve) -> None:
    client = await serve(project(FLOW), stranger=True)
    for _, method, path in asked():
        for spelling in (path, f"/{path}", path.upper(), path.replace("/", "/%2e/", 1), f"{path}/", f"{path}%2f"):
            for verb in (method, "HEAD" if method == "GET" else "PUT"):
                answer = await client.request(verb, f"http://127.0.0.1{spelling}", json={}, follow_redirects=False)
                led_to_login = answer.headers.get("location", "").startswith("/console/login")
                assert answer.status_code in {401, 404, 405} or led_to_login, spelling


def test_each_role_may_do_what_the_one_before_it_may() -> None:
    table = {role: [needed for needed in ("public", *ROLES) if allows(role, needed)] for role in ROLES}
    assert table == {
        "viewer": ["public", "viewer"],
        "operator": ["public", "viewer", "operator"],
        "admin": ["public", "viewer", "operator", "admin"],
    }


def test_an_application_with_a_route_that_names_no_role_is_not_made() -> None:
    @get("/open", sync_to_thread=False)
    def open_route() -> str:
        return "reached"

    with pytest.raises(Unguarded, match="GET /open"):
        require_access(Litestar([open_route], openapi_config=None))


async def test_a_route_that_names_no_role_answers_not_even_the_administrator() -> None:
    @get("/open", sync_to_thread=False)
    def open_route() -> str:
        return "reached"

    @get("/public", sync_to_thread=False, opt=access("public"))
    def public_route() -> str:
        return "reached"

    def refused(request: Any, error: HttpProblem) -> Response[str]:
        return Response(error.detail, status_code=error.status)

    directory = Directory(MemoryStore(), SystemClock())
    app = Litestar(
        [open_route, public_route],
        guards=[AccessGuard(Credentials("a-key", directory), directory)],
        openapi_config=None,
        exception_handlers={HttpProblem: refused},
    )
    async with AsyncTestClient(app) as client:
        headers = {"authorization": "Bearer a-key"}
        assert (await client.get("/open", headers=headers)).status_code == 403
        assert (await client.options("/open")).status_code == 204
        assert (await client.get("/public")).text == "reached"


def test_roles_are_ordered() -> None:
    roles: tuple[Role, ...] = ("viewer", "operator", "admin")
    assert roles == ROLES

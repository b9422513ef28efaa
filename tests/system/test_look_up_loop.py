"""A look-up whose target leads back to the same server, through real sockets."""

import sqlite3
from pathlib import Path

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from tests.system.server_process import serving, write_project

AGAIN = """
flow: again
trigger: {event: counted}
nodes:
  send:
    lookup.http:
      target: back
      method: POST
      path: /track
      body: {source: {id: shop}, session: {id: "s-{{ event.id }}"}, events: [{type: counted}]}
    timeout: 10s
    next: {found: answer, failed: answer}
  answer:
    respond: {done: true}
"""
PAYLOAD = {"source": {"id": "shop"}, "session": {"id": "s"}, "events": [{"type": "counted"}]}


async def test_a_target_that_leads_back_to_the_server_is_called_five_times(tmp_path: Path) -> None:
    address = ""

    async def forward(request: web.Request) -> web.Response:
        """Forward a request to the server, as a proxy in front of it does."""
        headers = {name: request.headers[name] for name in ("Headrace-Hops", "Content-Type")}
        async with (
            ClientSession() as session,
            session.post(f"{address}/track", data=await request.read(), headers=headers) as answered,
        ):
            return web.json_response(await answered.json(content_type=None), status=answered.status)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", forward)
    project = write_project(tmp_path / "project", again=AGAIN)
    async with TestServer(app) as proxy:
        target = f"targets: {{back: {{url: '{proxy.make_url('/')}', private: true}}}}\n"
        (project / "headrace.yaml").write_text(target)
        with serving(project, tmp_path / "store.db") as served:
            address = served.address
            async with ClientSession() as session, session.post(f"{address}/track", json=PAYLOAD) as answered:
                assert answered.status == 200
            assert served.stop() == 0
    with sqlite3.connect(tmp_path / "store.db") as stored:
        assert stored.execute("select count(*) from events").fetchone() == (6,)

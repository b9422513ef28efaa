"""A server of a project with node types of its own, one of whose files cannot be imported."""

from pathlib import Path

from aiohttp import ClientSession

from tests.flows.test_own_nodes import FLOW, POINTS
from tests.system.server_process import COUNT, serving, write_project

TELLING = f"{FLOW.rstrip()[:-1]}, next: tell}}\n  tell: {{respond: {{points: '{{{{ nodes.points.out }}}}'}}}}\n"
LOST = "flow: lost\ntrigger: {event: order-paid}\nnodes:\n  one: {shop.lost: {}}\n"


def event(type: str, **properties: object) -> dict[str, object]:
    events = [{"type": type, "properties": properties}]
    return {"source": {"id": "shop"}, "session": {"id": "s-1"}, "events": events}


async def test_a_server_runs_own_types_and_serves_the_rest_when_one_cannot_be_imported(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", order=TELLING, count=COUNT, lost=LOST)
    (project / "nodes").mkdir()
    (project / "nodes" / "points.py").write_text(POINTS)
    (project / "nodes" / "lost.py").write_text('# tag="shop.lost"\nraise RuntimeError("no licence")\n')
    with serving(project, tmp_path / "store.db") as served:
        async with ClientSession() as http:
            async with http.post(f"{served.address}/track", json=event("order-paid", total=12.5)) as answered:
                assert (await answered.json())["response"] == {"points": 24}
            async with http.post(f"{served.address}/track", json=event("counted")) as answered:
                assert answered.status == 200
            async with http.get(f"{served.address}/health/ready") as ready:
                assert (await ready.json())["broken"] == ["flows/lost.yaml", "nodes/lost.py"]
        assert "RuntimeError: no licence" in served.output
        assert served.stop() == 0

"""Tasks of servers that are killed in the middle of a run: each event counts once, and the cursor is right."""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.servers.order_system import KEY, OrderSystem, serving_orders
from tests.system.server_process import serving, write_project
from tests.system.test_schedules import asked, wait_for

SETTINGS = """
targets:
  erp: {{url: {url}, private: true, headers: {{Authorization: Bearer {key}}}}}
keys: {{traits.customer: {{exclusive: true}}}}
identity: {{user: traits.customer}}
"""
TASK = "task: pull\nsource: erp\nscript: pull.js\nevery: 1s\nparams: {url: %s}\n"
SCRIPT = """
function main(params) {
  const after = config.get('after') || 0;
  const answer = http.get(params.url + '/orders').query('after', after).query('limit', 5).send();
  if (answer.getStatusCode() !== 200) throw new Error('the shop answers ' + answer.getStatusCode());
  const orders = JSON.parse(answer.getResponseBody()).orders;
  for (const order of orders) {
    eventStore.store([{collection: 'order', properties: {number: order.number, _user: order.customer}}]);
  }
  if (orders.length) config.set('after', orders[orders.length - 1].number);
}
"""
COUNT = """
    flow: count
    trigger: {event: order}
    nodes: {add: {profile.increment: {traits.orders: 1}}}
"""


def project_with_task(root: Path, system: OrderSystem) -> Path:
    project = write_project(root, count=COUNT)
    (project / "headrace.yaml").write_text(SETTINGS.format(url=system.url, key=KEY))
    (project / "sources" / "erp.yaml").write_text("source: erp\naccepts: [import]\n")
    (project / "tasks").mkdir()
    (project / "tasks" / "pull.yaml").write_text(TASK % system.url)
    (project / "tasks" / "pull.js").write_text(SCRIPT)
    return project


def kill_again_and_again(tmp_path: Path, system: OrderSystem, kills: int) -> None:
    project, database = project_with_task(tmp_path / "project", system), tmp_path / "store.db"
    dice = random.Random(7)
    for _ in range(kills):
        with serving(project, database) as served:
            before = len(system.asked)
            wait_for(lambda before=before: len(system.asked) >= before + 2)
            time.sleep(dice.random() * 0.1)  # in the middle of a run, or soon after it
            served.kill()
    with serving(project, database) as served:
        before = len(system.asked)
        wait_for(lambda: len(system.asked) > before)
        asked(served, "POST", "/tasks/pull/pause")
        wait_for(lambda: asked(served, "GET", "/tasks/pull")["state"] == "paused")
        cursor = asked(served, "GET", "/tasks/pull")["values"]["after"]
        found = asked(served, "GET", "/search/events?q=type:order&limit=1000")["items"]
        profiles = asked(served, "GET", "/search/profiles?q=traits.orders:>0&limit=10")["items"]
        assert served.stop() == 0
    assert cursor >= 5 * kills
    assert Counter(event["properties"]["number"] for event in found) == Counter(range(1, cursor + 1))
    assert sum(profile["traits"]["orders"] for profile in profiles) == cursor
    assert len(profiles) == 3


def test_kills_neither_lose_nor_double_an_event_of_a_task(tmp_path: Path) -> None:
    with serving_orders() as system:
        kill_again_and_again(tmp_path, system, 3)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_thirty_kills_neither_lose_nor_double_an_event_of_a_task(tmp_path: Path) -> None:
    with serving_orders() as system:
        kill_again_and_again(tmp_path, system, 30)

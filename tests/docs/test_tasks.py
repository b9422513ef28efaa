"""The page about tasks: its task runs, prints what the page shows, and stores what the page says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.servers.order_system import KEY, OrderSystem, serving_orders

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
FILES = dict(
    zip(("tasks/orders-of-the-shop.yaml", "sources/shop-system.yaml", "headrace.yaml"), YAML, strict=True),
    **{"tasks/orders.js": re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)[0]},
)
SHOWN = re.findall(r"```console\n\$ headrace (.*?)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def shop() -> Iterator[OrderSystem]:
    with serving_orders(last=2) as system:
        yield system


@pytest.fixture
def root(tmp_path: Path, shop: OrderSystem) -> Path:
    """The project of the page, with the system of the shop at its own address."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        here = text.replace("{url: https://erp.example, h", f"{{url: {shop.url}, private: true, h")
        (tmp_path / name).write_text(here.replace("https://erp.example", shop.url))
    return tmp_path


def headrace(root: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", "ERP_KEY": KEY}).invoke(app, [*words, "--project", str(root)])


def test_the_task_of_the_page_does_in_memory_what_the_page_shows(root: Path) -> None:
    ((command, output),) = SHOWN
    result = headrace(root, *command.split())
    assert (result.exit_code, result.stdout) == (0, output)


def test_the_task_of_the_page_stores_its_orders_once_and_keeps_its_cursor(root: Path, shop: OrderSystem) -> None:
    assert CliRunner(env={"ERP_KEY": KEY}).invoke(app, ["migrate", str(root)]).exit_code == 0
    for _ in range(2):
        result = headrace(root, "task", "run", "orders-of-the-shop")
        assert result.exit_code == 0, result.output
    shop.last = 3
    assert headrace(root, "task", "run", "orders-of-the-shop").exit_code == 0
    assert shop.asked == [0, 2, 2]
    shown = json.loads(headrace(root, "task", "log", "orders-of-the-shop", "--json").stdout)
    assert [record["events"] for record in shown["log"]] == [1, 0, 2]
    assert shown["values"] == {"after": 3}
    log = headrace(root, "task", "log", "orders-of-the-shop").stdout
    assert "2 events" in log
    assert "info: 2 orders after 0" in log


def test_a_wrong_key_fails_the_run_with_the_reason_and_without_the_key(root: Path) -> None:
    result = CliRunner(env={"ERP_KEY": "wrong-key"}).invoke(
        app, ["task", "test", "orders-of-the-shop", "--project", str(root)]
    )
    assert result.exit_code == 1
    assert "failed: tasks/orders.js: line 5" in result.stdout
    assert "the shop answers 401" in result.stdout
    assert "wrong-key" not in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("other",), "No task has the name other"),
        (("orders-of-the-shop", "--config", "[]"), "`--config` is a JSON object"),
    ],
)
def test_what_cannot_be_tested_is_an_error(root: Path, words: tuple[str, ...], said: str) -> None:
    result = headrace(root, "task", "test", *words)
    assert result.exit_code in (1, 2)
    assert said in result.output


def test_a_test_begins_with_the_config_that_it_is_given(root: Path, shop: OrderSystem) -> None:
    result = headrace(root, "task", "test", "orders-of-the-shop", "--config", '{"after": 1}', "--json")
    document = json.loads(result.stdout)
    assert (document["config"], document["failed"], shop.asked) == ({"after": 2}, None, [1])
    assert [event["id"] for event in document["events"]] == ["2"]

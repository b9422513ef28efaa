"""The page about schedules: the tests that it shows pass for the flows that it shows."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cli.test import play

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text()


YAML = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
SETTINGS = """
targets: {erp: {url: https://erp.example}}
keys: {traits.customer: {exclusive: true}}
identity: {user: traits.customer}
"""


@pytest.mark.parametrize("name", ["nightly-prices", "pull-orders"])
def test_the_flow_keeps_its_cursor_as_its_test_says(tmp_path: Path, name: str) -> None:
    flow, test = [text for text in YAML if text.startswith(f"flow: {name}\n")][-2:]
    (tmp_path / "headrace.yaml").write_text(SETTINGS)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / f"{name}.yaml").write_text(flow)
    (tmp_path / "flows" / f"{name}.test.yaml").write_text(test)
    out = StringIO()
    assert play([tmp_path], "", Console(file=out), out) == 0, out.getvalue()

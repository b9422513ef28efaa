"""The page about schedules: the test that it shows passes for the flow that it shows."""

import re
from io import StringIO
from pathlib import Path

from rich.console import Console

from cli.test import play

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text()


def test_the_flow_keeps_its_cursor_as_its_test_says(tmp_path: Path) -> None:
    flow, test = (text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "cursor" in text)
    (tmp_path / "headrace.yaml").write_text("targets: {erp: {url: https://erp.example}}\n")
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "nightly-prices.yaml").write_text(flow)
    (tmp_path / "flows" / "nightly-prices.test.yaml").write_text(test)
    out = StringIO()
    assert play([tmp_path], "", Console(file=out), out) == 0, out.getvalue()

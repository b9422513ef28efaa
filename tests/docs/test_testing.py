"""The page about flow tests: its examples pass in the example shop, and its tables and its failure match the code."""

import re
import shutil
from io import StringIO
from pathlib import Path
from typing import get_args

import pytest
from msgspec import Struct
from msgspec.structs import fields
from rich.console import Console
from typer.testing import CliRunner

from api.problem import STATUS
from cli.main import app
from cli.test import play
from cli.testing.report import FAILED, NOT_RUN, PASSED
from flows.case import Case, CaseFile, Expect, Refused, Send, TestStep
from tests.docs.test_examples import anchors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The example shop without its own test files."""
    shutil.copytree(ROOT / "flows" / "starter", tmp_path / "shop", ignore=shutil.ignore_patterns("*.test.yaml"))
    return tmp_path / "shop"


def run(shop: Path, text: str) -> tuple[int, str]:
    (shop / "flows" / "order-to-vip.test.yaml").write_text(text)
    out = StringIO()
    return play([shop], "", Console(width=200, file=out), out), out.getvalue()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.partition("\n")[0])
def test_an_example_passes(shop: Path, example: str) -> None:
    code, text = run(shop, example)
    assert code == 0, text


def test_the_failure_is_the_one_that_is_shown(shop: Path) -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    code, text = run(shop, EXAMPLES[0].replace("total: 620", "total: 62"))
    assert code == 1
    assert shown in text


@pytest.mark.parametrize(("heading", "kind"), [
    pytest.param("At the top of a file:", CaseFile, id="file"),
    pytest.param("And in a case:", Case, id="case"),
    pytest.param("## Stories", TestStep, id="step"),
    pytest.param("## Sending", Send, id="send"),
    pytest.param("## Expectations", Expect, id="expect"),
])  # fmt: skip
def test_a_table_has_every_key(heading: str, kind: type[Struct]) -> None:
    table = PAGE.partition(heading)[2].partition("| key | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == {field.encode_name for field in fields(kind)}


def test_the_refusals_are_those_that_a_server_answers() -> None:
    table = PAGE.partition("| kind | status | why |\n|---|---|---|\n")[2].partition("\n\n")[0]
    statuses = {row.split("|")[1].strip(" `"): int(row.split("|")[2]) for row in table.splitlines()}
    assert statuses == {kind: STATUS[kind] for kind in get_args(Refused)}


def test_the_exit_codes_are_those_of_the_command() -> None:
    table = PAGE.partition("| exit code | means |\n|---|---|\n")[2].partition("\n\n")[0]
    help_text = CliRunner().invoke(app, ["test", "--help"]).output
    for code, row in zip((PASSED, FAILED, NOT_RUN), table.splitlines(), strict=True):
        assert row.startswith(f"| {code} |")
        assert re.search(rf"\b{code}: \w+", help_text), help_text


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGE):
        path, _, anchor = target.partition("#")
        text = (ROOT / "docs" / path).read_text() if path else PAGE
        assert not anchor or anchor in anchors(text), target

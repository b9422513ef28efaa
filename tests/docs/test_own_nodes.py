"""The page of own node types: a project with its files loads without findings, and its tests succeed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.docs.page import ROOT

PAGE = (ROOT / "docs" / "own-nodes.md").read_text()
FILES = dict(re.findall(r"^\*\*([\w./-]+)\*\*\n\n```(?:python|yaml)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
STOCK = """
flow: stock
trigger: {event: product-viewed}
nodes:
  stock:
    stock.level: {target: warehouse, sku: "{{ event.properties.sku }}"}
    next: {many: plenty, few: hurry, failed: hurry}
  plenty: {respond: {stock: plenty}}
  hurry: {respond: {stock: hurry}}
"""
STOCK_TEST = """
flow: stock
cases:
  - name: few are left
    mocks: {stock: {status: 200, body: {count: 3}}}
    event: {type: product-viewed, properties: {sku: M-100}}
    expect: {response: {stock: hurry}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {**FILES, "sources/website.yaml": "source: website\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def output_of(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_every_file_of_the_page_is_in_the_project(root: Path) -> None:
    assert sorted(FILES) == [
        "flows/ship.test.yaml",
        "flows/ship.yaml",
        "nodes/shipping_zone.py",
        "nodes/stock_level.py",
        "nodes/test_shipping_zone.py",
    ]
    assert len(re.findall(r"^```(?:python|yaml)$", PAGE, re.MULTILINE)) == len(FILES)


def test_the_project_has_neither_errors_nor_warnings(root: Path) -> None:
    assert output_of("check", str(root)).startswith("✓ no errors in ")
    assert "✓ 2 passed" in output_of("test", str(root))


def test_a_flow_test_mocks_a_type_that_asks(root: Path) -> None:
    (root / "headrace.yaml").write_text("targets:\n  warehouse: {url: https://warehouse.example}\n")
    (root / "flows" / "stock.yaml").write_text(STOCK)
    (root / "flows" / "stock.test.yaml").write_text(STOCK_TEST)
    assert "✓ 3 passed" in output_of("test", str(root))


def test_the_types_keep_the_contract(root: Path) -> None:
    assert output_of("nodes", "test", "--project", str(root)) == "✓ shipping.zone\n✓ stock.level\n"


def test_the_tests_of_the_page_succeed(root: Path) -> None:
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "nodes"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    tested = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert (tested.returncode, "4 passed" in tested.stdout) == (0, True), tested.stdout


def test_the_page_of_a_type_is_made_from_its_class(root: Path) -> None:
    page = output_of("nodes", "docs", "--project", str(root))
    assert "Find the shipping zone of a postcode" in page
    assert "No zone has the postcode" in page

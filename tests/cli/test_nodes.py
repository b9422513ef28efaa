"""`headrace nodes` with types of a project: listing, showing, writing, testing and documenting them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.flows.test_own_nodes import POINTS

EXAMPLES = "    examples = ('points:\\n  shop.points: {amount: \"{{ event.properties.total }}\"}\\n',)\n    output"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "points.py").write_text(POINTS.replace("    output", EXAMPLES))
    return tmp_path


def nodes(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["nodes", *arguments, "--project", str(root)], env={"COLUMNS": "200"})


def test_own_types_are_listed_with_their_place(root: Path) -> None:
    listed = nodes(root)
    assert listed.exit_code == 0
    (line,) = [line for line in listed.output.splitlines() if line.startswith("shop.points")]
    assert line.split(maxsplit=1)[1].split("  ")[0] == "Turn an amount into points."
    assert line.rstrip().endswith("nodes/points.py")


@pytest.mark.parametrize("words", [("shop.points",), ("show", "shop.points")])
def test_an_own_type_is_shown(root: Path, words: tuple[str, ...]) -> None:
    shown = nodes(root, *words)
    assert shown.exit_code == 0
    assert "Turn an amount into points." in shown.output
    assert "The amount" in shown.output


def test_a_type_that_does_not_exist_has_exit_code_2(root: Path) -> None:
    for words in (("shop.point",), ("test", "shop.point")):
        unknown = nodes(root, *words)
        assert (unknown.exit_code, "did you mean `shop.points`?" in unknown.output) == (2, True)


def test_a_file_that_cannot_be_imported_is_reported_and_the_others_are_listed(root: Path) -> None:
    (root / "nodes" / "broken.py").write_text('# tag="shop.broken"\n1 / 0\n')
    listed = nodes(root)
    assert listed.exit_code == 0
    assert "nodes/broken.py:2:1" in listed.stderr
    assert "shop.points" in listed.stdout
    shown = nodes(root, "shop.broken")
    assert (shown.exit_code, "it is in nodes/broken.py, which could not be loaded" in shown.output) == (2, True)
    assert nodes(root, "test").exit_code == 1


def test_own_types_are_tested(root: Path) -> None:
    tested = nodes(root, "test")
    assert (tested.exit_code, tested.output) == (0, "✓ shop.points\n")


def test_a_type_that_does_not_keep_the_contract_has_exit_code_1(root: Path) -> None:
    (root / "nodes" / "points.py").write_text(POINTS)
    tested = nodes(root, "test", "shop.points")
    assert tested.exit_code == 1
    assert "✗ shop.points\n    it has no `examples`" in tested.output


def test_a_project_without_own_types_says_how_to_write_one(root: Path) -> None:
    (root / "nodes" / "points.py").unlink()
    tested = nodes(root, "test")
    assert (tested.exit_code, "`headrace nodes new NAME` writes one" in tested.output) == (0, True)


def test_the_page_of_own_types_has_no_others(root: Path, tmp_path: Path) -> None:
    printed = nodes(root, "docs").output
    assert "## `shop.points`" in printed
    assert "## `profile.set`" not in printed
    page = tmp_path / "own.md"
    assert nodes(root, "docs", "--output", str(page)).exit_code == 0
    assert page.read_text() == printed


@pytest.mark.parametrize("name", ["loyalty.points", "points", "shop-floor.best_of-3"])
def test_a_new_type_keeps_the_contract_and_its_test_succeeds(root: Path, name: str) -> None:
    assert nodes(root, "new", name).exit_code == (2 if name == "points" else 0)
    if name == "points":  # nodes/points.py is there
        return
    assert nodes(root, "test", name).exit_code == 0
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "nodes"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    tested = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout
    assert "4 passed" in tested.stdout


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("profile.set", "exists already, in Headrace itself"),
        ("shop.points", "exists already, in nodes/points.py"),
        ("Loyalty", "is not a name of a node type"),
        ("when", "is not a name of a node type"),
        ("points", "points.py exists already"),
    ],
)
def test_a_name_that_cannot_be_used_writes_nothing(root: Path, name: str, problem: str) -> None:
    before = sorted(root.rglob("*"))
    refused = nodes(root, "new", name)
    assert (refused.exit_code, problem in refused.output) == (2, True)
    assert sorted(root.rglob("*")) == before


def test_a_new_type_needs_a_project(tmp_path: Path) -> None:
    refused = nodes(tmp_path / "nowhere", "new", "loyalty.points")
    assert (refused.exit_code, "is no project" in refused.output) == (2, True)

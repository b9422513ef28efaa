"""The recipes: each works in an empty project as the page shows it, without a warning, and its tests pass."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.docs.page import ROOT, Command, File, blocks, curl, steps
from tests.system.server_process import serving

PAGE = (ROOT / "docs" / "recipes.md").read_text()
RECIPES = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BEFORE = 2  # cases in the empty project


def project(root: Path, recipe: str) -> Path:
    """An empty project with the files of a recipe."""
    assert CliRunner().invoke(app, ["init", "--empty", str(root)]).exit_code == 0
    for step in steps(recipe):
        if isinstance(step, File):
            (root / step.path).parent.mkdir(exist_ok=True)
            (root / step.path).write_text(step.text)
    return root


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_neither_errors_nor_warnings(name: str, tmp_path: Path) -> None:
    checked = CliRunner().invoke(app, ["check", str(project(tmp_path / "shop", RECIPES[name]))])
    assert checked.exit_code == 0, checked.output
    assert re.fullmatch(r"✓ no errors in \d+ files\n", checked.output)


@pytest.mark.parametrize("name", RECIPES)
def test_the_tests_of_a_recipe_pass(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    played = CliRunner().invoke(app, ["test", str(project(tmp_path / "shop", recipe))])
    cases = len(re.findall(r"^  - name: ", recipe, re.MULTILINE))
    assert (played.exit_code, f"✓ {BEFORE + cases} passed in 2 files" in played.output) == (0, True), played.output
    assert cases > 0


@pytest.mark.parametrize("name", RECIPES)
def test_the_tests_of_a_recipe_fail_without_each_of_its_flows(name: str, tmp_path: Path) -> None:
    root = project(tmp_path / "shop", RECIPES[name])
    flows = [path for path in root.glob("flows/*.yaml") if path.stem != "page-views" and ".test" not in path.name]
    assert flows
    for flow in flows:
        text = flow.read_text()
        flow.write_text(re.sub("^trigger:\n  event: .*", "trigger:\n  event: never-sent", text, flags=re.MULTILINE))
        assert CliRunner().invoke(app, ["test", str(root)]).exit_code == 1, flow.name
        flow.write_text(text)


def test_a_receipt_reaches_a_server_by_the_command_on_the_page(tmp_path: Path) -> None:
    ((name, recipe),) = ((name, recipe) for name, recipe in RECIPES.items() if "```sh" in recipe)
    (command,) = (step for step in steps(recipe) if isinstance(step, Command))
    shop = project(tmp_path / "shop", recipe)
    with serving(shop, Path("headrace.db")) as served:
        assert curl(command.line, served.address) == command.output.rstrip("\n")
    found = CliRunner().invoke(app, ["search", "profiles", "traits.card:4711", "--json", "--project", str(shop)])
    assert '"revenue":12.5' in found.output, name


def test_there_are_thirteen_recipes_and_every_block_of_the_page_is_used() -> None:
    assert len(RECIPES) == 13
    followed = [step for recipe in RECIPES.values() for step in steps(recipe)]
    assert blocks(PAGE) == sum(1 if isinstance(step, File) else 2 for step in followed)


def test_the_list_of_contents_names_every_recipe() -> None:
    assert re.findall(r"^- \[(.+)\]\(#", PAGE, re.MULTILINE) == list(RECIPES)

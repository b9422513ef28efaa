"""The version by which a worker sees whether the project has changed: it covers the code of own node types."""

from pathlib import Path

from msgspec import structs

from cli.worker import project_version
from flows.project import load_project
from nodes import builtin
from tests.flows.test_own_nodes import POINTS


def version(root: Path) -> str:
    return project_version(load_project(root, builtin(), environment={}))


def test_the_version_changes_with_the_code_of_own_types_and_with_what_they_share(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    versions = [version(tmp_path)]
    for name, text in (("points", POINTS), ("_shared", "A = 1\n"), ("_shared", "A = 2\n"), ("test_points", "A = 1\n")):
        (tmp_path / "nodes" / f"{name}.py").write_text(text)
        versions.append(version(tmp_path))
    assert len(set(versions)) == 4
    assert versions[-1] == versions[-2]  # a test is no part of the project


def test_the_version_changes_with_the_versions_of_packages_that_offer_types(tmp_path: Path) -> None:
    loaded = load_project(tmp_path, builtin(), environment={})
    first, second = (structs.replace(loaded, packages=(f"acme {number}",)) for number in ("1.0", "1.1"))
    assert len({project_version(each) for each in (loaded, first, second)}) == 3

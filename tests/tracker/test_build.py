"""The built tracker is that of its sources, and small."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from api.tracker import BUILT, Script, current_script
from tests.clients.installation import installed, node, run
from tests.servers.left_out import or_skipped

ROOT = Path(__file__).parents[2]
TRACKER = ROOT / "tracker"
MAX_BYTES = 3_000  # by gzip


def test_the_tracker_is_small() -> None:
    assert len(gzip.compress(current_script().body, 9)) <= MAX_BYTES


def test_an_earlier_tracker_has_its_own_hash_as_name() -> None:
    for file in (ROOT / "api" / "static").glob("*.js"):
        assert file.name in {BUILT, f"headrace.{Script.of(file.read_bytes()).hash}.js"}


def test_the_built_file_is_that_of_the_sources(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with or_skipped(request.config, "Node"):
        modules = installed("tracker", (TRACKER / "package.json", TRACKER / "package-lock.json")) / "node_modules"
        here = tmp_path / "tracker"
        shutil.copytree(TRACKER, here, ignore=shutil.ignore_patterns("node_modules"))
        (here / "node_modules").symlink_to(modules)
        checked = subprocess.run(
            [node(), modules / "typescript" / "bin" / "tsc", "-p", here], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout
        run("build the tracker", str(node()), str(here / "build.cjs"), str(tmp_path / BUILT))
    assert (tmp_path / BUILT).read_bytes() == current_script().body, "run `make tracker`, and commit what it builds"

"""The published clients are installed once for each content of the locks; what a machine lacks is said."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.installation import BUILD, NODE, PYTHON, ROOT

ADDRESS = re.compile(r"https?://")


def test_every_client_is_pinned_by_a_hash_and_no_lock_names_a_registry() -> None:
    for lock in (BUILD, PYTHON, *NODE):
        assert not ADDRESS.search(lock.read_text())
    names, lock = (json.loads(path.read_text()) for path in NODE)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in names["dependencies"].values())
    installed = {name: package for name, package in lock["packages"].items() if name}
    assert {f"node_modules/{name}" for name in names["dependencies"]} <= set(installed)
    assert all(package["integrity"].startswith("sha512-") for package in installed.values())


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        pytest.param({}, 0, "LEFT OUT for want of Node: 2 tests. Node is not here; install Node 20", id="by a user"),
        pytest.param({"CI": "true"}, 1, "Node: Node is not here; install Node 20", id="on CI"),
    ],
)
def test_tests_without_node_are_reported_and_fail_on_ci(
    tmp_path: Path, asked: dict[str, str], status: int, said: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "HEADRACE_SERVERS"}}
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-k",
            "segment-node",
            "tests/clients/test_segment_clients.py",
        ],
        env={**kept, "PATH": str(tmp_path), **asked},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status, run.stdout
    assert said in run.stdout

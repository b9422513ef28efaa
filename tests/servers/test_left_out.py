"""Tests without their server are reported as left out, and on CI they are an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        pytest.param({}, 0, "LEFT OUT for want of Elasticsearch 8: 1 test. ", id="by a user"),
        pytest.param({"CI": "true"}, 1, "Elasticsearch 8: ", id="on CI"),
        pytest.param({"HEADRACE_SERVERS": "required"}, 1, "Elasticsearch 8: ", id="where they are required"),
    ],
)
def test_tests_without_their_server_are_reported_and_fail_on_ci(
    tmp_path: Path, asked: dict[str, str], status: int, said: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "HEADRACE_SERVERS"}}
    nowhere = {"PATH": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "eighth", "tests/servers"],
        env={**kept, **nowhere, **asked},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status, run.stdout
    assert said in run.stdout
    assert "install" in run.stdout

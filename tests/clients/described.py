"""Programs that read the description of the API: how they are started."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.clients.installation import node, packages, python

TIMEOUT = 900  # seconds: tests have shorter ones


def run_python(
    module: str, *arguments: str, folder: Path, path: Path | None = None, environment: Mapping[str, str] = {}
) -> str:
    """Run a module of the environment of the Python clients, and return its output. Raises `Missing`."""
    program = python()
    found = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "NO_COLOR": "1", **environment}
    if path is not None:
        found["PYTHONPATH"] = str(path)
    return _run(str(program), "-m", module, *arguments, folder=folder, environment=found)


def run_node(script: str, *arguments: str, folder: Path) -> str:
    """Run a script of a folder or of an installed package, and return its output. Raises `Missing`."""
    installed = packages()
    linked = folder / "node_modules"
    if not linked.exists():
        linked.symlink_to(installed)
    found = installed / script
    place = found if found.exists() else folder / script
    return _run(str(node()), str(place), *arguments, folder=folder, environment={**os.environ, "NO_COLOR": "1"})


def _run(*command: str, folder: Path, environment: dict[str, str]) -> str:
    finished = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"
    return finished.stdout

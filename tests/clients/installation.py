"""Installs the clients of other systems from their registries, once, and finds the programs that run them.

Everything goes into a directory whose name has the hash of what is asked for, so that a changed lock file installs
again, and two checkouts with the same locks share one.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.servers.missing import Missing

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILD = ROOT / "requirements" / "clients-build.txt"
PYTHON = ROOT / "requirements" / "clients.txt"
NODE = (HERE / "package.json", HERE / "package-lock.json")
NODE_AT_LEAST = 20
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def cache() -> Path:
    """The directory of all installations."""
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace" / "clients"
    place.mkdir(parents=True, exist_ok=True)
    return place


def python() -> Path:
    """A Python that has the Python clients. Raises `Missing` if they cannot be installed."""
    version = ".".join(map(str, sys.version_info[:3]))
    return _installed(f"python-{version}", (BUILD, PYTHON), _install_python) / "bin" / "python"


def packages() -> Path:
    """The `node_modules` with the JavaScript clients. Raises `Missing` if they cannot be installed."""
    node()
    return _installed("node", NODE, _install_node) / "node_modules"


def node() -> Path:
    """The program `node`. Raises `Missing` if none is new enough."""
    found = shutil.which("node")
    if found is None:
        raise Missing(f"Node is not here; install Node {NODE_AT_LEAST} or newer")
    version = _output(found, "--version")
    number = re.match(r"v(\d+)", version)
    if number is None or int(number[1]) < NODE_AT_LEAST:
        raise Missing(f"Node {NODE_AT_LEAST} or newer is not here (found: {version}); install it")
    return Path(found)


def chromium() -> Path:
    """The browser. Raises `Missing` if there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        raise Missing("Chromium is not here; install the package chromium")
    return Path(found)


def installed(name: str, lock: tuple[Path, Path]) -> Path:
    """A directory with the `node_modules` of a `package.json` and its lock. Raises `Missing`."""
    node()
    return _installed(name, lock, lambda into: _install_packages(into, lock))


def _installed(name: str, locks: tuple[Path, ...], install: Callable[[Path], None]) -> Path:
    """The directory in which these locks are installed; made whole in another place, so that no half one stays."""
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:16]
    place = cache() / f"{name}-{digest}"
    if place.is_dir():
        return place
    with tempfile.TemporaryDirectory(dir=cache(), prefix="install-") as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        install(made)
        try:
            made.rename(place)
        except OSError:
            if not place.is_dir():  # else another run of the tests was quicker
                raise
    return place


def _install_python(into: Path) -> None:
    run("create an environment for the Python clients", sys.executable, "-m", "venv", str(into))
    pip = [str(into / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for lock, options in ((BUILD, ()), (PYTHON, ("--use-pep517", "--no-build-isolation"))):
        run("install the Python clients", *pip, *options, "--require-hashes", "-r", str(lock))


def _install_node(into: Path) -> None:
    _install_packages(into, NODE)


def _install_packages(into: Path, locks: tuple[Path, ...]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Missing("npm, which installs the JavaScript clients, is not here; install the package npm")
    for lock in locks:
        shutil.copy(lock, into)
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress")
    run("install the JavaScript clients", npm, "ci", *options, "--prefix", str(into))


def run(what: str, *command: str) -> None:
    """Run a command that is to do something. Raises `Missing` with its last lines if it fails."""
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        why = " ".join((finished.stderr.strip() or finished.stdout.strip()).splitlines()[-3:])
        raise Missing(
            f"{Path(command[0]).name} could not {what}: {why}; install what it names, or go online, and repeat"
        )


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

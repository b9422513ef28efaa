"""Finds a Java that is new enough, by asking each one that is there."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers.account import Account
from tests.servers.missing import Missing

_INSTALLED = (
    "/usr/lib/jvm/*",
    "/usr/local/openjdk-*",
    "/opt/java/*",
    "/opt/jdk*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*",
)


def java_home(at_least: int, account: Account) -> Path:
    """The home of a Java of this major version or newer that the account may run."""
    seen: dict[Path, int] = {}
    for home in _homes():
        if home not in seen:
            seen[home] = _version(home, account)
        if seen[home] >= at_least:
            return home
    found = ", ".join(f"{version} in {home}" for home, version in seen.items() if version) or "none"
    raise Missing(f"Java {at_least} or newer is not here (found: {found}); install a JDK and set ES_JAVA_HOME to it")


def _homes() -> Iterator[Path]:
    for name in ("ES_JAVA_HOME", "JAVA_HOME"):
        if named := os.environ.get(name):
            yield Path(named)
    if java := shutil.which("java"):
        yield Path(java).resolve().parent.parent
    for pattern in _INSTALLED:
        yield from sorted(Path("/").glob(pattern[1:]), reverse=True)
    yield from sorted((Path.home() / ".sdkman/candidates/java").glob("*"), reverse=True)


def _version(home: Path, account: Account) -> int:
    """The major version that a Java tells of itself; 0 where there is none to run."""
    try:
        finished = subprocess.run(
            [str(home / "bin" / "java"), "-version"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=account.uid,
            group=account.uid,
            extra_groups=account.groups,
        )
    except OSError:
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', finished.stderr)
    return int(match[1]) if match else 0

"""The user that runs the servers, and the directories of their files.

Elasticsearch refuses to run as root. When the tests run as root, the servers run as `nobody`, from a directory that
`nobody` can reach; nothing is added to the system's accounts.
"""

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

NOBODY = 65534
MEMORY = Path("/dev/shm")  # noqa: S108  # what is there is gone when the machine ends, and there is no waiting for a disk
ENOUGH = 4 * 1024**3  # bytes for the data of all servers, by far


class Account:
    """The user that runs the servers: the caller, or `nobody` when the caller is root."""

    def __init__(self) -> None:
        self.uid = NOBODY if os.geteuid() == 0 else None
        """The number for `subprocess` to start a command as; None leaves the caller's."""
        self.groups: list[int] | None = None if self.uid is None else []

    def own(self, place: Path) -> None:
        """Give a directory and all within it to this user."""
        if self.uid is None:
            return
        for path in (place, *place.rglob("*")):
            os.chown(path, self.uid, self.uid)

    def cache(self) -> Path:
        """The directory for unpacked servers."""
        if self.uid is None:
            home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"
            home.mkdir(parents=True, exist_ok=True)
            return home
        # the user `nobody` cannot read root's own cache
        return _ours(Path(tempfile.gettempdir()) / "headrace-servers")

    def scratch(self) -> Path:
        """The directory for the data of running servers: in memory, where there is enough.

        Servers are killed by the tests, and machines are not: what a killed process has written stays there, too.
        """
        return _ours(MEMORY / f"headrace-servers-{os.geteuid()}") if _roomy(MEMORY) else self.cache()


def _ours(place: Path) -> Path:
    """Create a directory of ours in a shared one. Raises `PermissionError` if another user owns that name."""
    place.mkdir(mode=0o755, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.geteuid():
        raise PermissionError(f"{place} belongs to another user")
    place.chmod(0o755)
    return place


def _roomy(memory: Path) -> bool:
    """Whether servers may keep their files there, the libraries included that they unpack and load."""
    if not os.access(memory, os.W_OK):
        return False
    found = os.statvfs(memory)
    return found.f_bavail * found.f_frsize >= ENOUGH and not found.f_flag & os.ST_NOEXEC


@functools.cache
def dying_with_us() -> tuple[str, ...]:
    """A prefix for commands that must not outlive the tests, even when those are killed (Linux; elsewhere nothing)."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", "KILL")
    tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if tried.returncode == 0 else ()

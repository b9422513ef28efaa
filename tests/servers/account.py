"""Who runs the servers, and where their files lie.

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
        """The directory for unpacked servers and for the data of running ones."""
        if self.uid is None:
            home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"
            home.mkdir(parents=True, exist_ok=True)
            return home
        # root's own cache is closed to nobody; a name of ours in the shared directory must not be somebody else's
        home = Path(tempfile.gettempdir()) / "headrace-servers"
        home.mkdir(mode=0o755, exist_ok=True)
        if home.is_symlink() or home.stat().st_uid != os.geteuid():
            raise PermissionError(f"{home} belongs to somebody else")
        home.chmod(0o755)
        return home


@functools.cache
def dying_with_us() -> tuple[str, ...]:
    """A prefix for commands that must not outlive the tests, even when those are killed (Linux; elsewhere nothing)."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", "KILL")
    tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if tried.returncode == 0 else ()

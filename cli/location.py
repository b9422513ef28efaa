"""Where a command finds the data of a project: at a running server, or in the project's store."""

from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from rich.console import Console

from cli.admin_key import stored_key
from cli.call import RemoteServer
from cli.loopback import is_loopback
from cli.store import load_and_report, require_stored_data, store_url
from engine.project.project import Project

LEAVE_TO_SERVER = "let its server do it, with --url http://127.0.0.1:8686 or wherever it listens"


class DataLocation(Struct, frozen=True):
    """The options of a command that say where the data is.

    With `url` the command asks the server there; without it, it opens the store that `store` names, else the store of
    the project in the directory `root`. `key` is the admin key for the server.
    """

    root: Path
    store: str | None
    url: str | None
    key: str | None = None

    def server(self) -> RemoteServer | None:
        """The server to ask, None without a `url`. Without a `key`, a server on this machine gets that of the project.

        Raises `CommandError` when the project's key cannot be used.
        """
        if self.url is None:
            return None
        key = self.key
        if not key and is_loopback(_host(self.url)) and (stored := stored_key(self.root)) is not None:
            key = stored.value
        return RemoteServer(self.url, key)


def project_and_store(location: DataLocation, error: Console) -> tuple[Project, str]:
    """The project and the address of its store. Prints errors of its settings; raises `CommandError`."""
    loaded = load_and_report(location.root, error, whole=False)
    url = store_url(loaded, location.store)
    require_stored_data(url, location.root)
    return loaded.project, url


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""  # the request to it reports the error

"""The spool of a server: whether it has one, and where."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cli.store import CannotStart
from engine.ports.spool import Spool
from engine.ports.store import Unavailable
from engine.project.project import Settings
from storage.spool.file import UnusableSpool
from storage.spool.folder import own_spool

FOLDER = ".headrace/spool"


def folder_of(settings: Settings, root: Path, given: Path | None) -> Path | None:
    """The folder of the server's spools, None when it has none. Giving one means having one."""
    if given is None and not settings.spool:
        return None
    return (root / (given or settings.spool_dir or FOLDER)).resolve()


@contextmanager
def spool_in(folder: Path | None) -> Iterator[Spool | None]:
    """The spool of this process; None without a folder. Raises `CannotStart`."""
    with ExitStack() as opened:
        spool: Spool | None = None
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                (folder / ".gitignore").write_text("*\n")  # what waits there is nobody's source
                spool = opened.enter_context(own_spool(folder))
        except (UnusableSpool, Unavailable, OSError) as error:
            raise CannotStart(f"There is no spool: {error}. Say --spool DIR for another folder.") from error
        yield spool

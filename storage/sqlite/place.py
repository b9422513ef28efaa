"""The place of a store's file: whether a file can be made there and written to, and the remedy if not."""

import os
from pathlib import Path


def obstacle(path: Path) -> str | None:
    """The reason why `path` cannot be a store's file, with the remedy; None if it can.

    Makes the missing folders above it. SQLite writes its log beside the file, so the folder must be writable, too.
    """
    try:
        return _obstacle(path)
    except OSError as error:
        return no_file(path, error)


def no_file(path: Path, error: OSError) -> str:
    """The reason why the system refuses a file at `path`, with the remedy."""
    return f"no file can be made in {path.parent} ({error.strerror}); name another path"


def _obstacle(path: Path) -> str | None:
    folder = path.parent
    above = next((each for each in folder.parents if each.exists() and not each.is_dir()), None)
    if above is not None or (folder.exists() and not folder.is_dir()):
        return f"{above or folder} is a file, not a folder; name a path outside of it"
    if path.is_dir():
        return f"it is a folder; name a file in it, such as {path / 'headrace.db'}"
    if path.exists() and not path.is_file():
        return "it is no regular file; name another path"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"the folder {folder} cannot be made ({error.strerror}); make it yourself or name another path"
    for place, name in ((path, "the file"), (folder, f"the folder {folder}")):
        if place.exists() and not os.access(place, os.W_OK):
            return f"{name} cannot be written to; let the user of this process write to it, or name another path"
    return None


def remedy(reason: str) -> str:
    """A reason of SQLite for which a file cannot be opened, with the remedy where one is known."""
    remedies = {
        "not a database": "restore it from a backup, or name another file",
        "malformed": "it is damaged: restore it from a backup, or name another file",
        "locked": "stop the other program that uses it",
        "full": "make room on its disk",
        "disk I/O error": "see the system's log for its disk, or name another file",
    }
    return next((f"{reason}; {do}" for text, do in remedies.items() if text in reason), reason)

"""Previewing an upgrade: the changes that opening a file would make, found without writing to it.

Another process may be serving the file.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from storage.sqlite import identities
from storage.sqlite.place import remedy
from storage.sqlite.schema import VERSION, UnusableFile, version_of


def preview(path: Path) -> list[str]:
    """Return a line for each change that an upgrade would make; empty if the file has the newest schema.

    Tables that are only missing are not reported. Raises `UnusableFile`.
    """
    if not path.exists():
        return [f"would make {path} (schema {VERSION})"]
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as file:
            file.execute("BEGIN")
            old = version_of(path, file)
            if old is None:
                return [f"would make {path} (schema {VERSION})"]
            if old == VERSION:
                return []
            return [f"would upgrade {path} from schema {old} to {VERSION}", *identities.preview(file)]
    except sqlite3.Error as error:
        raise UnusableFile(path, remedy(str(error))) from error

"""Headrace with one more kind of store, `shared:PATH`: a SQLite file that several workers serve, for tests of workers.

Several processes over one file are correct, only slower, which is why users cannot select this.
"""

import sys

import cli.main
import cli.store
import cli.worker
import cli.workers
import storage
from storage.sqlite.store import SqliteStore

storage.KINDS["shared"] = lambda rest, base: SqliteStore.open(base / rest, busy_ms=20_000)
cli.store.SHARED.add("shared")
cli.workers.COMMAND[:] = (sys.executable, "-m", "tests.system.shared_sqlite_server", "worker")

if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        sys.exit(cli.worker.main())
    cli.main.main()

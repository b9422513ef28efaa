"""One process of Elasticsearch: started, watched, killed and started again."""

import contextlib
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.servers.account import Account, dying_with_us

_START_SECONDS = 90  # less than a test may take, so that the log is shown
_END_SECONDS = 30
_COMPILER = "-XX:TieredStopAtLevel=1"  # a server lives for minutes, in which the second one earns nothing back


class Node:
    """A server process with a directory of its own below `place`; its ports are chosen by the system and then kept."""

    def __init__(self, home: Path, java: Path, place: Path, settings: Mapping[str, object], account: Account) -> None:
        self.home, self.java, self.place, self.account = home, java, place, account
        self.settings = {
            "network.host": "127.0.0.1",
            "http.port": 0,
            "transport.port": 0,
            "node.name": place.name,
            "path.data": str(place / "data"),
            "path.logs": str(place / "logs"),
            "xpack.security.enabled": False,
            "cluster.routing.allocation.disk.threshold_enabled": False,
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        shutil.copytree(home / "config", place / "config")
        for name in ("data", "logs", "temporary"):
            (place / name).mkdir()

    @property
    def url(self) -> str:
        """Where the node answers."""
        return f"http://127.0.0.1:{self.port('http')}"

    @property
    def transport(self) -> str:
        """Where the other nodes reach it."""
        return f"127.0.0.1:{self.port('transport')}"

    def start(self) -> None:
        """Start the process and wait until it answers as part of a cluster."""
        self.launch()
        self.wait(status="red")

    def launch(self) -> None:
        """Start the process."""
        (self.place / "config" / "elasticsearch.yml").write_text(json.dumps(self.settings))
        self.account.own(self.place)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "ES_JAVA_HOME": str(self.java),
            "ES_PATH_CONF": str(self.place / "config"),
            "ES_JAVA_OPTS": f"-Xms512m -Xmx512m {_COMPILER}",
            "ES_TMPDIR": str(self.place / "temporary"),
        }
        with self._log.open("ab") as log:
            # The lock goes with the open file to every process of the server: it is free when the last one has ended.
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.process = subprocess.Popen(
                [*dying_with_us(), str(self.home / "bin" / "elasticsearch")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.place,
                start_new_session=True,
                user=self.account.uid,
                group=self.account.uid,
                extra_groups=self.account.groups,
            )

    def port(self, kind: str) -> int:
        """Wait for the `http` or `transport` port that the node got, and keep it for its next start.

        A node opens the first only when it is in a cluster, the second before that.
        """
        setting = f"{kind}.port"
        if not self.settings[setting]:
            self._until(lambda: self._published(kind) is not None, f"{kind} port")
            self.settings[setting] = self._published(kind)
        return int(str(self.settings[setting]))

    def wait(self, *, status: str = "green", nodes: str = ">=1") -> None:
        """Wait until the cluster that this node sees has this many nodes and at least this health."""
        self.port("http")
        query = f"/_cluster/health?wait_for_status={status}&wait_for_nodes={nodes}&timeout=1s"
        self._until(lambda: self._answers(query), f"{status} cluster of {nodes} nodes")

    def kill(self) -> None:
        """End the node at once, as by `kill -9`, and wait until nothing of it is left."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        self._poll(self._gone, _END_SECONDS, "end")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """The node hangs: its process is stopped, and takes connections without an answer. At the end it goes on."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            self._poll(self._stands_still, _END_SECONDS, "stop")  # a thread runs on until it gets the signal
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)
            self.wait(status="yellow")

    @property
    def _log(self) -> Path:
        return self.place / "console.log"

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port("http"), timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _published(self, kind: str) -> int | None:
        speaker = {"http": "HttpServerTransport", "transport": "TransportService"}[kind]
        said = re.search(rf"{speaker}\b.*publish_address {{127\.0\.0\.1:(\d+)}}", self._log.read_text(errors="replace"))
        return int(said[1]) if said else None

    def _stands_still(self) -> bool:
        """Whether every thread of the server's processes is stopped (`T` in its `stat`, see proc_pid_stat(5))."""
        assert self.process is not None
        group = str(self.process.pid)
        for stat in Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
            try:
                fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            if fields[2] == group and fields[0] not in ("T", "Z"):
                return False
        return True

    def _gone(self) -> bool:
        return free(self._log)

    def _until(self, done: Callable[[], bool], what: str) -> None:
        self._poll(lambda: self._alive() and done(), _START_SECONDS, what)

    def _alive(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"Elasticsearch ended by itself:\n{self.log_end()}")
        return True

    def _poll(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"Elasticsearch: no {what} within {seconds} s:\n{self.log_end()}")
            time.sleep(0.05)

    def log_end(self) -> str:
        """The end of the node's log, for a failure's message."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-40:])


def free(log: Path) -> bool:
    """Whether no process of a server is left that writes this log."""
    with log.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True

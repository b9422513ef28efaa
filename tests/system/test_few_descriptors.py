"""A server with few descriptors, and more connections than it may have."""

import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from tests.system.load_generator import LoadGenerator
from tests.system.server_process import ServerProcess, write_project

FEW = 64


async def test_a_server_with_few_descriptors_stores_events_beside_too_many_half_open_connections(
    tmp_path: Path,
) -> None:
    project = write_project(tmp_path / "project")
    command = [sys.executable, "-m", "cli.main", "serve", str(project), "--port", "0", "--store"]
    limited = ["sh", "-c", f'ulimit -n {FEW} && exec "$@"', "sh", *command, f"sqlite:{tmp_path / 'store.db'}"]
    served, load = ServerProcess(limited, project), LoadGenerator()
    with ExitStack() as stack:
        try:
            address = urlsplit(served.address)
            for _ in range(2 * FEW):
                connection = stack.enter_context(
                    socket.create_connection((str(address.hostname), int(address.port or 0)))
                )
                connection.sendall(b"POST /track HTTP/1.1\r\nHost: loc")
            await load.load(served.address, 50, clients=4)
            assert len(load.acknowledged) >= 50
            (most,) = served.wait_for_output(r'"at_most": (\d+), "event": "connections are closed or refused')
            assert int(most) == FEW // 2
            assert served.stop() == 0
        finally:
            if served.process.poll() is None:
                served.kill()

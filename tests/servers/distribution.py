"""Fetches Elasticsearch by Maven and unpacks it once."""

import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from tests.servers.missing import Missing

JAVA = {"9.2.4": 21, "8.19.5": 17}
"""The versions that are tested, and the oldest Java that each runs on."""

_COORDINATES = "org.elasticsearch.distribution.integ-test-zip:elasticsearch"


def unpacked(version: str, cache: Path) -> Path:
    """The home of this version below the cache, fetched when it is not yet there."""
    home = cache / f"elasticsearch-{version}"
    if home.is_dir():
        return home
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as temporary:
        archive = _fetch(version, Path(temporary))
        Path(temporary).chmod(0o755)
        _unpack(archive, Path(temporary))
        try:
            (Path(temporary) / home.name).rename(home)
        except OSError:
            if not home.is_dir():  # else another run of the tests was quicker
                raise
    return home


def _fetch(version: str, into: Path) -> Path:
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing(f"Maven, which fetches Elasticsearch {version}, is not here; install the package maven")
    command = [maven, "-B", "-q", "-Dstyle.color=never", "dependency:copy", f"-Dartifact={_COORDINATES}:{version}:zip"]
    finished = subprocess.run(
        [*command, f"-DoutputDirectory={into}"], capture_output=True, text=True, check=False, cwd=into
    )
    if finished.returncode:
        why = next((line for line in finished.stdout.splitlines() if "ERROR" in line), finished.stderr.strip())
        raise Missing(f"Maven could not fetch Elasticsearch {version} (is the network there?): {why}")
    (archive,) = into.glob("*.zip")
    return archive


def _unpack(archive: Path, into: Path) -> None:
    with zipfile.ZipFile(archive) as bundle:
        for member in bundle.infolist():
            path = bundle.extract(member, into)
            if mode := member.external_attr >> 16:
                os.chmod(path, mode & 0o777)

"""Installs the clients that the tests send with, before the tests: `make clients`."""

import sys

from tests.clients.installation import chromium, packages, python
from tests.servers.missing import Missing, required

NEEDS = {"the Python clients": python, "the JavaScript clients": packages, "Chromium": chromium}


def install() -> int:
    """Install each kind of client that this machine can run; the number is the exit status."""
    status = 0
    for what, find in NEEDS.items():
        try:
            print(f"{what} ... ", end="", flush=True)  # noqa: T201
            print(find())  # noqa: T201
        except Missing as missing:
            print(f"left out by the tests. {missing}.")  # noqa: T201
            status = int(required())
    return status


if __name__ == "__main__":
    sys.exit(install())

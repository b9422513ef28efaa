"""Fetches the servers that the tests need, before the tests: `make servers`."""

import sys

from tests.servers.account import Account
from tests.servers.distribution import JAVA, unpacked
from tests.servers.java import java_home
from tests.servers.missing import Missing, required


def fetch() -> int:
    """Fetch each version that a Java here can run; the number is the exit status."""
    account = Account()
    status = 0
    for version, at_least in JAVA.items():
        try:
            java = java_home(at_least, account)
            print(f"Elasticsearch {version} ... ", end="", flush=True)  # noqa: T201
            print(unpacked(version, account.cache()), "with", java)  # noqa: T201
        except Missing as missing:
            print(f"The tests leave out Elasticsearch {version}. {missing}.")  # noqa: T201
            status = int(required())
    return status


if __name__ == "__main__":
    sys.exit(fetch())

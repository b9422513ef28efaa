"""`python -m tests.model`: plays histories of the identity protocol, and reports what was played or what broke.

--histories N     how many (1,000), from --seed S on (0)
--variant NAME    with a wrong variant of the protocol, until a history breaks; may be given again
-v                plays one history, that of the seed, and prints every write
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.model.simulation import play
from tests.model.store import Broken
from tests.model.variants import VARIANTS


def main(arguments: Sequence[str]) -> int:
    """Play the histories; returns 1 if one breaks, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", action="append", default=[], choices=VARIANTS)
    parser.add_argument("-v", action="store_true")
    options = parser.parse_args(arguments)
    report = _write if options.v else None
    start, total = time.monotonic(), Counter[str]()
    for seed in range(options.seed, options.seed + (1 if options.v else options.histories)):
        try:
            total += play(seed, options.variant, report).store.statistics
        except Broken as broken:
            _write(f"seed {seed}: {broken}")
            return 1
        total["histories"] += 1
    _write(f"{time.monotonic() - start:.0f} s: " + ", ".join(f"{count:,} {name}" for name, count in total.items()))
    return 0


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

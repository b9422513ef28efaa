"""`python -m tests`: all tests, in two processes side by side, for half of them wait for servers and disks.

The first one's output is shown as it comes, the second one's when both have ended.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What rests on servers, processes and crashes; the second process runs everything else.
FIRST = ("tests/servers", "tests/storage", "tests/system")


def main() -> int:
    """Run both halves; returns the first exit code that is not 0."""
    command = (sys.executable, "-m", "pytest")
    without = [f"--ignore={folder}" for folder in FIRST]
    with tempfile.TemporaryFile() as output:
        second = subprocess.Popen([*command, *without], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            first = subprocess.run([*command, *FIRST], cwd=ROOT, check=False)
            print("Waiting for the tests that need no server ...", flush=True)  # noqa: T201
            second.wait()
        except KeyboardInterrupt:
            second.wait()  # the terminal has interrupted it, too
            return 130
        finally:
            if second.poll() is None:
                second.terminate()
        output.seek(0)
        sys.stdout.write(output.read().decode(errors="replace"))
    return first.returncode or second.returncode


if __name__ == "__main__":
    sys.exit(main())

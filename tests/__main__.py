"""`python -m tests [--fast]`: all tests, or the fast ones, in two processes side by side.

One process would leave a core idle: half of the tests wait for servers and disks. The first process shows its output as
it comes, the second one when both have ended.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAST = "--fast"
# The folders of the first process; the second one runs everything else. Each takes about half of the time.
SERVERS = ("tests/servers", "tests/storage", "tests/system")
ENGINE = ("tests/engine",)


def main(arguments: list[str]) -> int:
    """Run both halves; returns the first exit code that is not 0, and 130 after Ctrl-C."""
    if arguments not in ([], [FAST]):
        sys.stderr.write(f"python -m tests takes {FAST} or nothing; for a choice of tests, run pytest.\n")
        return 2
    first = ENGINE if arguments else SERVERS
    command = (sys.executable, "-m", "pytest", *arguments)
    others = [f"--ignore={folder}" for folder in first]
    with tempfile.TemporaryFile() as output:
        second = subprocess.Popen([*command, *others], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            code = subprocess.run([*command, *first], cwd=ROOT, check=False).returncode
            sys.stdout.write("Waiting for the second half ...\n")
            sys.stdout.flush()
            second.wait()
        except KeyboardInterrupt:  # the terminal has interrupted both
            second.wait()
            return 130
        finally:
            if second.poll() is None:
                second.terminate()
        output.seek(0)
        sys.stdout.write(output.read().decode(errors="replace"))
    return code or second.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Counts the instructions that the whole live server executes for one event of `/track`, under load.

Each count starts `headrace serve` of a project with six nodes on an empty SQLite store under callgrind, sends orders
over 64 connections until the caches are warm, and then counts the given number of further orders: all threads,
everything outside the kernel, divided by the number of orders. Rates change with whatever else a machine does; these
counts do not.
"""

import argparse
import json
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from benchmarks.callgrind import CannotCount, Count, counted_server, valgrind_version
from benchmarks.orders import Connections, NotTaken, Orders

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
CONNECTIONS = 64
FIRST_TOTAL = 600.0  # each session's first order lets its profile reach the flow's last nodes
TOTAL = 49.5
WARM_ORDERS = 512  # after each session's first order

EXAMPLES = """
examples:
  python -m benchmarks.instructions                               all three cases, in two to three minutes
  python -m benchmarks.instructions --case ordinary --repeat 1    one case, once, in about 20 s
  python -m benchmarks.instructions --json counts.json            write the counts to a file, too
  python -m benchmarks.instructions --root ../before --root .     two checkouts in turn, each with its own .venv

how to read it:
  Compare counts of the same Python only: one that was built with profile-guided optimisation executes some 8 % less.
  Without any change of the code, counts of one session have differed by up to 2.5 % from those of another. Take a rise
  of more than 3 % for one of the code. To see a smaller one, name both checkouts by --root in one session.

exit code: 0 counted, 2 not possible here (the message has the cause), 130 interrupted
"""


@dataclass(frozen=True)
class Case:
    """A kind of load."""

    name: str
    meaning: str
    sessions: int = 256
    client_ids: bool = False


CASES = (
    Case("ordinary", "an order of a known session"),
    Case("client-id", "the same, each with an id of the client's own", client_ids=True),
    Case("one-profile", "64 clients of one profile at the same time", sessions=1),
)


@dataclass(frozen=True)
class Checkout:
    """A tree whose code is served, and the folder that holds its `python` and `headrace`."""

    folder: Path
    programs: Path

    def python_version(self) -> str:
        """Return the version of its Python."""
        command = [str(self.programs / "python"), "-c", "import platform; print(platform.python_version())"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True)
class Result:
    """All counts of one case on one checkout, each from a server of its own."""

    case: Case
    checkout: Checkout
    events: int
    counts: tuple[Count, ...]

    @property
    def per_event(self) -> float:
        """Instructions per event: the median of the counts."""
        return median(count.total for count in self.counts) / self.events

    @property
    def other_threads(self) -> float:
        """Instructions per event in threads other than the event loop's: the median of the counts."""
        return median(count.other_threads for count in self.counts) / self.events

    @property
    def spread(self) -> float:
        """The largest count less the smallest, as a share of the median; 0 for a single count."""
        totals = [count.total for count in self.counts]
        return (max(totals) - min(totals)) / median(totals)


def count_once(case: Case, checkout: Checkout, events: int, report: Callable[[str, int], object]) -> Count:
    """Start a server, warm it up, count `events` orders, stop it.

    Calls `report` with the current phase and the number of orders that were counted since the last call. Raises
    `CannotCount` and `NotTaken`.
    """
    orders = Orders(case.sessions, client_ids=case.client_ids)
    with tempfile.TemporaryDirectory(prefix="headrace-instructions-") as folder:
        report("starting", 0)
        with counted_server(checkout.programs, checkout.folder, HERE / "six", Path(folder)) as server:
            report("warming up", 0)
            with Connections(server.port, CONNECTIONS) as connections:
                connections.send(orders, case.sessions, FIRST_TOTAL, lambda: None)
                connections.send(orders, WARM_ORDERS, TOTAL, lambda: None)
            server.instrument()
            with Connections(server.port, CONNECTIONS) as connections:
                connections.send(orders, CONNECTIONS, TOTAL, lambda: None)  # so that connecting is not counted
                server.zero()
                report("counting", 0)
                connections.send(orders, events, TOTAL, lambda: report("counting", 1))
                return server.dump()


def count_all(
    cases: Sequence[Case], checkouts: Sequence[Checkout], events: int, repeats: int, console: Console
) -> list[Result]:
    """Count every case on every checkout, the checkouts in turn. Shows the progress on `console`."""
    counts: dict[tuple[Case, Checkout], list[Count]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=events * len(cases) * len(checkouts) * repeats)
        for case, number, checkout in product(cases, range(1, repeats + 1), checkouts):
            where = f" of {checkout.folder}" if len(checkouts) > 1 else ""
            title = f"{case.name}{where}, {number} of {repeats}"

            def report(phase: str, advance: int, title: str = title) -> None:
                progress.update(task, description=f"{title}: {phase}", advance=advance)

            count = count_once(case, checkout, events, report)
            counts.setdefault((case, checkout), []).append(count)
            console.print(f"{title}: {count.total / events:,.0f} an event", highlight=False)
    return [Result(case, checkout, events, tuple(found)) for (case, checkout), found in counts.items()]


def table_of(results: Sequence[Result]) -> Table:
    """A table with a row for each result; with several checkouts, each is compared with the first."""
    several = len({result.checkout for result in results}) > 1
    table = Table(title="Instructions per event of /track, whole server", box=None, header_style="bold")
    table.add_column("case", no_wrap=True)
    table.add_column("checkout" if several else "meaning", overflow="fold")
    for column in ("instructions", "spread", "store's threads", *(["against the first"] if several else [])):
        table.add_column(column, justify="right", no_wrap=True)
    first: dict[str, Result] = {}
    for result in results:
        reference = first.setdefault(result.case.name, result)
        against = "" if result is reference else f"{result.per_event / reference.per_event - 1:+.1%}"
        table.add_row(
            result.case.name,
            str(result.checkout.folder) if several else result.case.meaning,
            f"{result.per_event:,.0f}",
            f"{result.spread:.1%}" if len(result.counts) > 1 else "-",
            f"{result.other_threads:,.0f}",
            *([against] if several else []),
        )
    return table


def json_of(results: Sequence[Result], valgrind: str) -> str:
    """All results as a JSON document; `counts` are the instructions per event of each single count."""
    rows = [
        {
            "case": result.case.name,
            "root": str(result.checkout.folder),
            "python": result.checkout.python_version(),
            "events": result.events,
            "instructions_per_event": round(result.per_event),
            "spread": round(result.spread, 4),
            "other_threads_per_event": round(result.other_threads),
            "counts": [round(count.total / result.events) for count in result.counts],
        }
        for result in results
    ]
    about = {"valgrind": valgrind, "machine": platform.machine(), "connections": CONNECTIONS}
    return json.dumps({**about, "results": rows}, indent=2) + "\n"


def checkout_at(root: Path | None) -> Checkout:
    """The checkout at `root`, or this one with the Python that runs. Raises `CannotCount` if it is not installed."""
    folder = CHECKOUT if root is None else root.resolve()
    programs = Path(sys.executable).parent if root is None else folder / ".venv" / "bin"
    for program in ("python", "headrace"):
        if not (programs / program).exists():
            raise CannotCount(f"{programs / program} is missing: install Headrace there, as `make demo` does.")
    return Checkout(folder, programs)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions",
        description=f"{__doc__}\nNeeds the program valgrind, from the package of that name.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [case.name for case in CASES]
    meanings = "; ".join(f"{case.name}: {case.meaning}" for case in CASES)
    made.add_argument(
        "--case", action="append", choices=names, metavar="NAME", help=f"only this case, may be repeated ({meanings})"
    )
    made.add_argument("--events", type=_positive, default=1000, metavar="N", help="orders of each count (default 1000)")
    made.add_argument(
        "--repeat", type=_positive, default=3, metavar="N", help="counts of each case, each on a new server (default 3)"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results to this file, too")
    made.add_argument(
        "--root",
        action="append",
        type=Path,
        metavar="DIR",
        help="serve the code of this checkout, with its own .venv; may be repeated, to compare (default: this one)",
    )
    return made


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and report; returns the exit code."""
    known = parser()
    chosen = known.parse_args(arguments)
    if chosen.json is not None and not chosen.json.parent.is_dir():
        known.error(f"--json: there is no folder {chosen.json.parent}")
    errors = Console(stderr=True)
    for each in (signal.SIGINT, signal.SIGTERM):  # both stop the server, also where a shell's `&` has ignored SIGINT
        signal.signal(each, signal.default_int_handler)
    try:
        valgrind = valgrind_version()
        checkouts = list(dict.fromkeys(checkout_at(root) for root in chosen.root or [None]))
        cases = [case for case in CASES if chosen.case is None or case.name in chosen.case]
        results = count_all(cases, checkouts, chosen.events, chosen.repeat, errors)
    except (CannotCount, NotTaken) as error:
        errors.print(str(error), style="red", highlight=False, markup=False)
        return 2
    except KeyboardInterrupt:
        errors.print("Interrupted; the server has been stopped.")
        return 130
    console = Console()
    console.print(table_of(results))
    pythons = ", ".join(sorted({f"Python {checkout.python_version()}" for checkout in checkouts}))
    counts = f"{chosen.repeat} × {chosen.events:,} events over {CONNECTIONS} connections"
    console.print(f"{counts}, {pythons}, {valgrind}", highlight=False)
    if chosen.json is not None:
        chosen.json.write_text(json_of(results, valgrind))
    return 0


if __name__ == "__main__":
    sys.exit(main())

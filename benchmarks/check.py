"""Measures `headrace check`: CPU seconds for a generated project of many flows."""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SETTINGS = """name: generated
targets: {crm: {url: "https://crm.example"}}
"""
SEGMENT = """segment: vip
manual: true
"""
# The usual types of nodes; {i} is the number of the node, {next} of the one behind it, {flow} of the flow, so that few
# expressions are repeated.
NODES = (
    """\
  n{i}:
    if: event.properties.total{flow} > {i} and 'vip' not in profile.segments
    next: {{then: n{next}, else: n{next}}}
""",
    """\
  n{i}:
    profile.set: {{traits.t{i}: "{{{{ event.properties.name{flow}_{i} | default('x') | trim }}}}"}}
    next: n{next}
""",
    """\
  n{i}:
    profile.increment: {{traits.c{i}: "{{{{ event.properties.total{flow}_{i} | default(0) }}}}"}}
    next: n{next}
""",
    """\
  n{i}:
    let:
      net: "{{{{ (event.properties.total{flow}_{i} | default(0)) / 1.19 }}}}"
      currency: EUR
    next: n{next}
""",
    """\
  n{i}:
    log: "Order {{{{ event.properties.id{flow}_{i} | default('none') }}}} of {{{{ profile.id }}}}"
    next: n{next}
""",
    """\
  n{i}:
    switch:
      gold: profile.traits.revenue{flow}_{i} >= 1000
      recent: now - event.received < days({flow})
    next: {{gold: n{next}, recent: n{next}, default: n{next}}}
""",
    """\
  n{i}:
    lookup.http: {{target: crm, path: "/customers/{{{{ event.properties.customer{flow}_{i} }}}}"}}
    next: {{found: n{next}, missing: n{next}, failed: n{next}}}
""",
    """\
  n{i}:
    respond: {{text: "Hello {{{{ event.properties.name{flow}_{i} | default('you') | title }}}}", at: "{{{{ now }}}}"}}
    next: n{next}
""",
)
EXAMPLES = """
examples:
  python -m benchmarks.check                         300 flows of 24 nodes
  python -m benchmarks.check --flows 30 --nodes 10   a smaller project
"""


def write_project(root: Path, flows: int, nodes: int) -> None:
    """Write a project without errors of `flows` flows, each a chain of `nodes` nodes of the usual types."""
    (root / "flows").mkdir(parents=True)
    (root / "segments").mkdir()
    (root / "headrace.yaml").write_text(SETTINGS)
    (root / "segments" / "vip.yaml").write_text(SEGMENT)
    for number in range(flows):
        trigger = f"{{event: order-{number % 20}, when: event.properties.total{number} > 0}}"
        body = [NODES[(number + i) % len(NODES)].format(i=i, next=i + 1, flow=number) for i in range(nodes - 1)]
        text = f"flow: flow-{number:03}\ntrigger: {trigger}\nnodes:\n{''.join(body)}  n{nodes - 1}:\n    log: done\n"
        (root / "flows" / f"flow-{number:03}.yaml").write_text(text)


def cpu_seconds(root: Path) -> float:
    """CPU seconds, user and system, of `headrace check` in its own process. Raises when there is an error."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "cli.main", "check", str(root)]
    subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the CPU seconds of the best of several runs, because other programs disturb it least."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES, formatter_class=form)
    parser.add_argument("--flows", type=int, default=300)
    parser.add_argument("--nodes", type=int, default=24)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "generated"
        write_project(root, options.flows, options.nodes)
        best = min(cpu_seconds(root) for _ in range(options.repeat))
    print(f"headrace check of {options.flows} flows of {options.nodes} nodes: {best:.2f} s of CPU")


if __name__ == "__main__":
    main()

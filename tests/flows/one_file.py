"""A good flow, and the diagnostics of a project with one other flow in its place."""

from pathlib import Path
from typing import NamedTuple

from engine.flow.registry import Registry
from flows.diagnostic import Diagnostic
from flows.project import load_project
from nodes import builtin

GOOD = """\
flow: order
trigger:
  event: order-paid
nodes:
  count:
    profile.increment: {traits.orders: 1}
    next: big
  big:
    if: profile.traits.orders > 2
    next: {then: vip}
  vip:
    segment.add: vip
    next: crm
  crm:
    lookup.http: {target: crm, path: /vip}
    next: {found: note, missing: note, failed: note}
  note:
    log: "The order {{ event.id }} is paid"
"""
HEAD = "flow: order\ntrigger: {event: x}\n"  # the beginning of a flow, above its nodes
SETTINGS = "targets:\n  crm: {url: https://crm.example/api}\n"
REGISTRY: Registry = builtin()


class Expected(NamedTuple):
    """The one diagnostic of a broken file: its code, its line and column, and a part of its remedy."""

    code: str
    place: str
    help: str


def changed(old: str, new: str) -> str:
    """The good flow with `new` in place of the first `old`."""
    assert old in GOOD, old
    return GOOD.replace(old, new, 1)


def diagnostics_of(root: Path, flow: str, settings: str = SETTINGS) -> tuple[Diagnostic, ...]:
    """The diagnostics of a project in the empty directory `root`, with a target `crm` and a manual segment `vip`."""
    for folder in ("flows", "segments"):
        (root / folder).mkdir()
    (root / "flows" / "order.yaml").write_bytes(flow.encode())
    (root / "segments" / "vip.yaml").write_text("segment: vip\nmanual: true\n")
    (root / "headrace.yaml").write_text(settings)
    return load_project(root, REGISTRY, environment={}).diagnostics


def found(diagnostics: tuple[Diagnostic, ...]) -> list[tuple[str, str]]:
    """The code and the place (line and column) of each diagnostic."""
    return [(diagnostic.code, f"{diagnostic.line}:{diagnostic.column}") for diagnostic in diagnostics]

"""The flows that a case of a test file is about, so that a further flow in the project does not break it."""

from collections.abc import Iterable, Iterator

from msgspec import structs

from engine.problem import ProblemError
from engine.project.project import Project
from flows.address import Addresses
from flows.case import Case, CaseFile


def tested_flows(project: Project, file: CaseFile, case: Case) -> frozenset[str]:
    """Return the names of the flows whose look-ups, failures, emitted events and deliveries the case accounts for.

    In a file with `flow` they are that one, those of its `flows`, and those that the case names, in `runs`, `mocks`,
    `calls`, `deliveries` or `fire`; else all flows of the project.
    """
    if not isinstance(file.flow, str):
        return frozenset(flow.name for flow in project.flows)
    others = file.flows if isinstance(file.flows, tuple) else ()
    return frozenset([file.flow, *others, *_named(case, Addresses(project, file.flow))])


def timed_flows(project: Project, file: CaseFile, case: Case) -> frozenset[str]:
    """Return the names of the flows that time fires in a case, if they have a schedule.

    In a file with `flow` they are the tested ones; else only those that the case names, for a story that lets a month
    pass is seldom about what happens each night.
    """
    if isinstance(file.flow, str):
        return tested_flows(project, file, case)
    return frozenset(_named(case, Addresses(project, None)))


def case_project(project: Project, file: CaseFile, case: Case) -> Project:
    """Return the project with the flows that run: all, unless the file lists the `flows` that run beside its own."""
    if not isinstance(file.flows, tuple):
        return project
    names = tested_flows(project, file, case)
    return structs.replace(project, flows=tuple(flow for flow in project.flows if flow.name in names))


def named_flows(file: CaseFile) -> frozenset[str]:
    """Return the flows whose names are in a test file: its own, further ones, and those of expected runs."""
    own = [file.flow] if isinstance(file.flow, str) else []
    others = file.flows if isinstance(file.flows, tuple) else ()
    expects = [expect for case in file.cases for expect in (case.expect, *(step.expect for step in case.steps))]
    runs = [name for expect in expects if isinstance(expect.runs, dict) for name in expect.runs]
    return frozenset([*own, *others, *runs])


def _named(case: Case, addresses: Addresses) -> Iterator[str]:
    """Yield the flows that a case names, some of them more than once."""
    fired = [case.fire, *[step.fire for step in case.steps]]
    yield from [name for name in fired if isinstance(name, str)]
    for expect in (case.expect, *(step.expect for step in case.steps)):
        if isinstance(expect.runs, dict):
            yield from expect.runs
        if isinstance(expect.calls, dict):
            yield from _owners(expect.calls, addresses)
        if isinstance(expect.deliveries, tuple):
            yield from [each.flow for each in expect.deliveries if isinstance(each.flow, str)]
    for mocks in (case.mocks, *(step.mocks for step in case.steps)):
        yield from _owners(mocks, addresses)


def _owners(nodes: Iterable[str], addresses: Addresses) -> Iterator[str]:
    """Yield the flow of each node that a case names."""
    for text in nodes:
        try:
            yield addresses.outside(text).flow
        except ProblemError:  # the file was checked: it is in a flow that cannot be read
            continue

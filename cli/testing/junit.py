"""A report as JUnit XML, which CI systems read: a suite for each test file, and one for everything that did not run."""

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cli.testing.failure_rendering import in_file_order, render_failures
from cli.testing.report import CaseResult, FileResult, NotRun, Report

_INVALID_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> bytes:
    """Return the report as an XML document in UTF-8."""
    suites = Element("testsuites", name="headrace test")
    _count(suites, report.cases + len(report.not_run), report.failed, len(report.not_run), _seconds(*report.files))
    for file in report.files:
        _suite(suites, file)
    for each in report.not_run:
        _error(suites, each)
    indent(suites)
    return bytes(tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(suites: Element, file: FileResult) -> None:
    suite = SubElement(suites, "testsuite", name=_valid(file.path))
    failed = sum(bool(case.failures) for case in file.cases)
    _count(suite, len(file.cases), failed, 0, _seconds(file))
    for case in file.cases:
        _case(suite, file, case)


def _case(suite: Element, file: FileResult, case: CaseResult) -> None:
    dotted = file.file.document.name.removesuffix(".test.yaml").replace("/", ".")
    element = SubElement(
        suite,
        "testcase",
        classname=_valid(f"{file.project}.{dotted}"),
        name=_valid(file.file.file.cases[case.index].name),
        file=_valid(file.path),
        line=str(file.file.document.position(("cases", case.index)).line),
        time=f"{case.seconds:.6f}",
    )
    if case.failures:
        first = in_file_order(file.file, case.failures)[0]
        failure = SubElement(element, "failure", type="expectation", message=_valid(first.message))
        failure.text = _valid("\n".join(line.plain for line in render_failures(file.file, case.failures)))


def _error(suites: Element, not_run: NotRun) -> None:
    suite = SubElement(suites, "testsuite", name=_valid(not_run.name))
    _count(suite, 1, 0, 1, 0)
    case = SubElement(suite, "testcase", classname=_valid(not_run.name), name="it can be played", time="0.000")
    SubElement(case, "error", type="unplayed", message=_valid(not_run.reason)).text = _valid(not_run.details)


def _count(element: Element, tests: int, failures: int, errors: int, seconds: float) -> None:
    for name, number in (("tests", tests), ("failures", failures), ("errors", errors)):
        element.set(name, str(number))
    element.set("time", f"{seconds:.6f}")


def _seconds(*files: FileResult) -> float:
    return sum(case.seconds for file in files for case in file.cases)


def _valid(text: str) -> str:
    """Return the text with U+FFFD in place of characters that XML does not allow."""
    return _INVALID_IN_XML.sub("\ufffd", text)

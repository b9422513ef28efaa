"""A report as JUnit XML, which CI systems read: a suite for each test file, and one for what could not be played."""

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cli.testing.failure_text import failure_lines, ordered_lines
from cli.testing.report import Played, PlayedFile, Report, Unplayed

_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> bytes:
    """The document."""
    suites = Element("testsuites", name="headrace test")
    _count(suites, report.played + len(report.unplayed), report.failed, len(report.unplayed), _seconds(*report.files))
    for file in report.files:
        _suite(suites, file)
    for one in report.unplayed:
        _error(suites, one)
    indent(suites)
    return bytes(tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(suites: Element, file: PlayedFile) -> None:
    suite = SubElement(suites, "testsuite", name=_legal(file.path))
    failed = sum(bool(case.failures) for case in file.cases)
    _count(suite, len(file.cases), failed, 0, _seconds(file))
    for case in file.cases:
        _case(suite, file, case)


def _case(suite: Element, file: PlayedFile, case: Played) -> None:
    dotted = file.file.document.name.removesuffix(".test.yaml").replace("/", ".")
    shown = SubElement(
        suite,
        "testcase",
        classname=_legal(f"{file.project}.{dotted}"),
        name=_legal(file.file.file.cases[case.index].name),
        file=_legal(file.path),
        line=str(file.file.document.position(("cases", case.index)).line),
        time=f"{case.seconds:.3f}",
    )
    if case.failures:
        first = ordered_lines(file.file, case.failures)[0]
        failure = SubElement(shown, "failure", type="expectation", message=_legal(first.told))
        failure.text = _legal("\n".join(line.plain for line in failure_lines(file.file, case.failures)))


def _error(suites: Element, one: Unplayed) -> None:
    suite = SubElement(suites, "testsuite", name=_legal(one.name))
    _count(suite, 1, 0, 1, 0)
    case = SubElement(suite, "testcase", classname=_legal(one.name), name="it can be played", time="0.000")
    SubElement(case, "error", type="unplayed", message=_legal(one.why)).text = _legal(one.more)


def _count(element: Element, tests: int, failures: int, errors: int, seconds: float) -> None:
    for name, number in (("tests", tests), ("failures", failures), ("errors", errors)):
        element.set(name, str(number))
    element.set("time", f"{seconds:.3f}")


def _seconds(*files: PlayedFile) -> float:
    return sum(case.seconds for file in files for case in file.cases)


def _legal(text: str) -> str:
    """The text without what XML cannot hold in any way."""
    return _NO_XML.sub("\ufffd", text)

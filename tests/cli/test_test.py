"""`headrace test`: its exit codes, the cases that it runs, and its output."""

import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli.main import app
from cli.test import play

FLOW = """
    flow: order
    trigger: {event: order-paid}
    nodes:
      big:
        if: event.properties.total > 100
        next: {then: crm, else: small}
      crm:
        lookup.http: {target: crm, path: "/customers/{{ event.properties.who }}"}
        retry: {times: 2, backoff: 10m}
        next: {found: vip, failed: vip, missing: vip}
      vip:
        segment.add: vip
      small:
        respond: {thanks: "for so little"}
"""
CASES = """
    flow: order
    cases:
      - name: A large order makes a VIP
        event: {type: order-paid, properties: {total: 200, who: ann}}
        mocks: {crm: {fail: timeout}}
        expect: {profile: {segments: [vip]}, calls: {crm: 1}}
      - name: a small one is thanked for
        event: {type: order-paid, properties: {total: 2}}
        expect: {response: {thanks: for so little}}
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text))
    return root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(
        tmp_path / "shop",
        {
            "headrace.yaml": "targets:\n  crm: {url: https://crm.example, headers: {Key: '${env:NOT_SET}'}}\n",
            "flows/order.yaml": FLOW,
            "flows/order.test.yaml": CASES,
            "segments/vip.yaml": "segment: vip\nmanual: true\n",
            "sources/shop.yaml": "source: shop\nidentify: trust\nanswer_within: 1000\n",
        },
    )


def run(*paths: Path, text: str = "") -> tuple[int, str]:
    out = StringIO()
    return play(list(paths), text, Console(width=120, file=out), out), out.getvalue()


def suites_of(report: Path) -> ET.Element:
    return ET.parse(report).getroot()  # noqa: S314  # it is our own


def counts(element: ET.Element) -> tuple[int, ...]:
    return tuple(int(element.attrib[name]) for name in ("tests", "failures", "errors"))


def lines(text: str) -> Iterator[str]:
    return (line.rstrip() for line in text.splitlines())


def test_passed_cases_are_ticked_and_counted(project: Path) -> None:
    code, text = run(project)
    assert code == 0
    printed = list(lines(text))
    assert printed[0] == "flows/order.test.yaml"
    assert printed[1].startswith("  ✓ A large order makes a VIP  ")
    assert printed[-1].startswith("✓ 2 passed in 1 file  (")


def test_a_failure_is_printed_with_its_position_the_actual_value_and_the_reason(project: Path) -> None:
    file = project / "flows" / "order.test.yaml"
    file.write_text(file.read_text().replace("total: 200", "total: 20"))
    code, text = run(project, text="vip")
    assert code == 1
    assert "  ✗ A large order makes a VIP" in text
    assert "    --> flows/order.test.yaml:7:34\n" in text
    assert "7 |     expect: {profile: {segments: [vip]}, calls: {crm: 1}}\n" in text
    assert 'expected `segments` of the profile to be ["vip"]; it is []\n' in text
    assert "= why: order  big:else › small\n" in text
    assert "expected `crm` to make 1 request; it made 0\n" in text
    assert "= why: crm: big left by else, not then\n" in text
    assert "big: event.properties.total > 100 → false   event.properties.total = 20\n" in text
    assert list(lines(text))[-1].startswith("✗ 0 passed, 1 failed in 1 file")


def test_cases_are_selected_by_a_text_in_upper_or_lower_case(project: Path) -> None:
    code, text = run(project, text="LARGE")
    assert (code, "1 passed in 1 file" in text) == (0, True)
    assert run(project, text="huge") == (2, "no case has `huge` in its name\n")


@pytest.mark.parametrize("path", ["flows", "flows/order.test.yaml", "flows/order.yaml"])
def test_files_are_selected_by_their_path_or_the_path_of_their_flow(project: Path, path: str) -> None:
    write(project, {"segments/vip.test.yaml": "cases: [{name: x, event: {type: y}, expect: {emitted: []}}]"})
    code, text = run(project / path)
    assert (code, "2 passed in 1 file" in text) == (0, True)
    assert "3 passed in 2 files" in run(project)[1]


NAMING_BAD = "flow: bad\ncases: [{name: x, event: {type: y}, expect: {outcome: finished}}]\n"


@pytest.mark.parametrize("broken", [
    pytest.param({"flows/bad.yaml": "flow: bad\n"}, id="a flow"),
    pytest.param({"segments/bad.yaml": "segment: bad\n"}, id="a segment"),
    pytest.param({"flows/bad.yaml": "flow: bad\n", "flows/bad.test.yaml": NAMING_BAD}, id="a flow with a test file"),
    pytest.param({"flows/bad.test.yaml": "cases: 5\n"}, id="a test file"),
])  # fmt: skip
def test_an_error_in_one_file_is_reported_and_the_cases_of_others_are_run(
    project: Path, broken: dict[str, str]
) -> None:
    write(project, broken)
    code, text = run(project)
    assert code == 2
    assert "error[H" in text
    assert ("flows/bad.test.yaml is not played: `bad` has errors" in text) is (len(broken) == 2)
    assert "✗ 2 passed in 1 file" in text


@pytest.mark.parametrize("case", [
    "event: {type: y}, expect: {entered: bad}",
    "event: {type: y}, expect: {left: {visitor: [bad]}}",
    "event: {type: y}, expect: {profile: {segments: [bad]}}",
    "given: {profile: {segments: [bad]}}, event: {type: y}, expect: {emitted: []}",
    "given: {profiles: {ann: {segments: [bad]}}}, steps: [{send: {visitor: ann, type: y}, expect: {emitted: []}}]",
    "steps: [{send: {visitor: ann, type: y}, expect: {profiles: {ann: {segments: [bad]}}}}]",
])  # fmt: skip
def test_a_test_file_that_names_a_segment_with_errors_is_not_run(project: Path, case: str) -> None:
    case_file = f"flow: order\ncases: [{{name: x, {case}}}]\n"
    write(project, {"segments/bad.yaml": "segment: bad\n", "flows/segment.test.yaml": case_file})
    code, text = run(project)
    assert code == 2
    assert "flows/segment.test.yaml is not played: `bad` has errors" in text
    assert "✗ 2 passed in 1 file" in text


def test_no_case_of_a_project_is_run_whose_settings_have_errors(project: Path) -> None:
    write(project, {"headrace.yaml": "targets: 5\n"})
    code, text = run(project)
    assert code == 2
    assert "error[H" in text
    assert "✓ A large" not in text


@pytest.mark.parametrize(("type", "note"), [
    ("order-payed", "note: no flow takes the event `order-payed`: did you mean `order-paid`?"),
    ("seen", "note: no flow takes the event `seen`; if that is meant, expect `runs: {NAME: not-triggered}` for a flow"),
    ("schedule-fired", "note: no event that is sent starts a flow with a schedule: `fire: nightly` does"),
    ("shown", "note: the flows that take `shown` do not run: to run them, add `show` to the file's `flows`"),
])  # fmt: skip
def test_an_event_that_starts_no_flow_is_noted(project: Path, type: str, note: str) -> None:
    case = f"{{name: x, event: {{type: {type}}}, expect: {{response: null}}}}"
    show = "flow: show\ntrigger: {event: shown}\nnodes: {say: {log: hello}}\n"
    nightly = 'flow: nightly\ntrigger: {schedule: "0 6 * * *"}\nnodes: {say: {log: hello}}\n'
    write(project, {"flows/nightly.yaml": nightly})
    write(project, {"flows/show.yaml": show, "flows/order.test.yaml": f"flow: order\nflows: []\ncases: [{case}]"})
    code, text = run(project)
    assert (code, note in " ".join(text.split())) == (0, True)


@pytest.mark.parametrize("expect", ["outcome: not-triggered", "runs: {order: not-triggered}"])
def test_an_event_that_is_expected_to_start_no_flow_is_not_noted(project: Path, expect: str) -> None:
    case = f"{{name: x, event: {{type: seen}}, expect: {{{expect}}}}}"
    write(project, {"flows/order.test.yaml": f"flow: order\ncases: [{case}]"})
    code, text = run(project)
    assert (code, "note:" in text) == (0, False)


def test_an_error_in_a_test_file_is_reported_with_its_position(project: Path) -> None:
    write(project, {"flows/bad.test.yaml": "cases: [{name: x, event: {type: y}, expect: {same: [ann, bob]}}]"})
    code, text = run(project)
    assert code == 2
    assert " --> flows/bad.test.yaml:1:" in text


def test_a_project_without_test_files_has_exit_code_2(project: Path) -> None:
    (project / "flows" / "order.test.yaml").unlink()
    code, text = run(project)
    assert (code, "write flows/NAME.test.yaml" in text) == (2, True)


def test_a_missing_path_has_exit_code_2(project: Path) -> None:
    assert run(project / "gone")[0] == 2


@pytest.mark.parametrize(("kinds", "code"), [
    pytest.param(["passing", "passing"], 0, id="all pass"),
    pytest.param(["failing", "passing"], 1, id="one fails"),
    pytest.param(["failing", "untested"], 1, id="one fails and one has no test files"),
    pytest.param(["untested", "failing"], 1, id="the same the other way round"),
    pytest.param(["broken", "failing"], 1, id="one has errors and one fails"),
    pytest.param(["passing", "untested"], 2, id="one passes and one has no test files"),
    pytest.param(["broken", "passing"], 2, id="one has errors and one passes"),
    pytest.param(["broken", "untested"], 2, id="nothing can be played"),
    pytest.param(["failing", "gone"], 2, id="a path that is not there: nothing is played"),
])  # fmt: skip
def test_the_exit_code_of_several_projects_is_1_for_a_failed_case_else_2_for_one_that_cannot_be_run(
    project: Path, kinds: list[str], code: int
) -> None:
    roots = [project.parent / f"{kind}-{number}" for number, kind in enumerate(kinds)]
    for root, kind in zip(roots, kinds, strict=True):
        if kind != "gone":
            shutil.copytree(project, root)
        if kind == "untested":
            (root / "flows" / "order.test.yaml").unlink()
        if kind == "failing":
            write(root, {"flows/order.test.yaml": CASES.replace("total: 200", "total: 20")})
        if kind == "broken":
            write(root, {"flows/bad.yaml": "flow: bad\n"})
    assert run(*roots)[0] == code


def test_the_summary_is_not_ticked_when_some_paths_could_not_be_run(project: Path) -> None:
    other = write(project.parent / "other", {"flows/lone.yaml": FLOW})
    code, text = run(project, other)
    last = list(lines(text))[-1]
    assert (code, last.startswith("✗ 2 passed in 1 file"), "not all that was named" in last) == (2, True, True)


def test_a_flow_without_a_test_file_is_reported_beside_one_with_a_test_file(project: Path) -> None:
    lone = "flow: lone\ntrigger: {event: a}\nnodes: {say: {log: hello}}\n"
    write(project, {"flows/lone.yaml": lone})
    code, text = run(project / "flows" / "order.yaml", project / "flows" / "lone.yaml")
    assert (code, "2 passed" in text, "lone.yaml has no test files" in text) == (2, True, True)


def test_a_text_selects_cases_of_all_projects(project: Path) -> None:
    other = write(project.parent / "other", {"flows/order.test.yaml": CASES.replace("thanked for", "thanked")})
    for name in ("headrace.yaml", "flows/order.yaml", "segments/vip.yaml", "sources/shop.yaml"):
        write(other, {name: (project / name).read_text()})
    assert run(project, other, text="thanked for")[0] == 0
    assert run(project, other, text="huge") == (2, "no case has `huge` in its name\n")


def test_junit_has_every_case_with_its_position_and_failures(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, {"flows/order.test.yaml": CASES.replace("total: 200", "total: 20")})
    monkeypatch.chdir(project.parent)
    result = CliRunner().invoke(app, ["test", "shop", "--junit", "out/report.xml"])
    assert result.exit_code == 1, result.output
    suites = suites_of(Path("out/report.xml"))
    assert counts(suites) == counts(suites[0]) == (2, 1, 0)
    assert suites[0].attrib["name"] == "shop/flows/order.test.yaml"
    large, small = suites[0]
    place = {"classname": "shop.flows.order", "file": "shop/flows/order.test.yaml"}
    assert {**large.attrib, "time": ""} == {**place, "name": "A large order makes a VIP", "line": "4", "time": ""}
    assert {**small.attrib, "time": ""} == {**place, "name": "a small one is thanked for", "line": "8", "time": ""}
    assert (float(large.attrib["time"]) > 0, list(small)) == (True, [])
    (failure,) = large
    assert failure.attrib["message"].startswith("expected `segments` of the profile")
    assert "    --> flows/order.test.yaml:7:34\n".strip() in str(failure.text)
    assert "why: order  big:else › small" in str(failure.text)


@pytest.mark.parametrize(("path", "text", "message"), [
    pytest.param("broken", "", "the project has errors", id="errors"),
    pytest.param("shop", "huge", "no case has `huge` in its name", id="no such case"),
    pytest.param("shop/flows/lone.yaml", "", "has no test files", id="no test files"),
    pytest.param("gone", "", "there is no ", id="a path that is not there"),
])  # fmt: skip
def test_junit_reports_what_could_not_be_run_as_an_error(project: Path, path: str, text: str, message: str) -> None:
    write(project, {"flows/lone.yaml": "flow: lone\ntrigger: {event: a}\nnodes: {say: {log: hello}}\n"})
    write(project.parent / "broken", {"flows/bad.yaml": "flow: bad\n"})
    out, report = StringIO(), project / "report.xml"
    assert play([project.parent / path], text, Console(file=out), out, report) == 2
    suites = suites_of(report)
    assert counts(suites) == counts(suites[0]) == (1, 0, 1)
    (error,) = suites[0][0]
    assert (error.tag, message in error.attrib["message"]) == ("error", True)


def test_junit_is_valid_xml_whatever_a_name_contains(project: Path) -> None:
    name = r"<a> & \"b\" \0\e[31m ]]>"
    case = f'cases: [{{name: "{name}", event: {{type: order-paid}}, expect: {{emitted: ["\\a"]}}}}]'
    write(project, {"flows/order.test.yaml": case})
    out, report = StringIO(), project / "report.xml"
    assert play([project], "", Console(file=out), out, report) == 1
    (case_element,) = suites_of(report)[0]
    assert case_element.attrib["name"] == '<a> & "b" \ufffd\ufffd[31m ]]>'


def test_a_report_that_cannot_be_written_has_exit_code_2(project: Path) -> None:
    out = StringIO()
    code = play([project], "", Console(file=out, width=500), out, project / "headrace.yaml" / "report.xml")
    assert (code, "report.xml cannot be written: " in out.getvalue()) == (2, True)


def test_output_to_a_pipe_has_no_colours_and_the_command_returns_the_exit_code(project: Path) -> None:
    result = CliRunner().invoke(app, ["test", str(project), "-k", "thanked"])
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert "1 passed" in result.output


def test_output_to_a_terminal_has_colours_unless_no_color_is_set(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def output() -> str:
        out = StringIO()
        play([project], "", Console(width=120, file=out, force_terminal=True), out)
        return out.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[32m" in output()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in output()

"""`headrace check`: its exit codes, and the files that it checks."""

from io import StringIO
from pathlib import Path

import pytest

from cli.check import check

GOOD = "flow: {name}\ntrigger: {{event: order-paid}}\nnodes:\n  note:\n    log: hello\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    flows = tmp_path / "shop" / "flows"
    flows.mkdir(parents=True)
    (flows / "good.yaml").write_text(GOOD.format(name="good"))
    (flows / "bad.yaml").write_text("flow: bad\n")
    return tmp_path / "shop"


def run(*paths: Path) -> tuple[int, str]:
    out = StringIO()
    return check(list(paths), False, out), out.getvalue()


def test_errors_have_exit_code_1(project: Path) -> None:
    code, text = run(project)
    assert code == 1
    assert "in 1 of 2 files" in text


def test_a_project_without_errors_has_exit_code_0(project: Path) -> None:
    (project / "flows" / "bad.yaml").unlink()
    assert run(project) == (0, "✓ no errors in 1 file\n")


def test_warnings_have_exit_code_0(project: Path) -> None:
    (project / "flows" / "bad.yaml").rename(project / "flows" / "bad.yml")
    code, text = run(project)
    assert (code, "1 warning" in text) == (0, True)


def test_only_the_requested_files_are_reported(project: Path) -> None:
    assert run(project / "flows" / "good.yaml") == (0, "✓ no errors in 1 file\n")
    assert run(project / "flows" / "bad.yaml")[0] == 1
    assert run(project / "flows")[0] == 1


def test_the_project_around_the_current_directory_is_the_default(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "flows")
    assert run()[0] == 1


def test_a_missing_file_has_exit_code_2(project: Path) -> None:
    gone = project / "gone.yaml"
    assert run(gone) == (2, f"there is no {gone}\n")


def test_for_a_missing_directory_the_report_names_the_command_that_makes_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(Path("shop")) == (2, "shop is not a directory. `headrace init shop` makes a project there.\n")


def test_a_directory_without_a_project_has_exit_code_2(tmp_path: Path) -> None:
    assert run(tmp_path) == (2, f"{tmp_path} is not a Headrace project: it has neither headrace.yaml nor flows/.\n")


def test_a_directory_is_named_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    message = "empty is not a Headrace project: it has neither headrace.yaml nor flows/.\n"
    assert run(Path("empty")) == (2, message)


def test_a_flow_in_a_directory_without_a_project_is_warned_of_and_has_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "order.yaml").write_text(GOOD.format(name="order"))
    code, text = run(tmp_path)
    assert code == 2
    assert "move it to flows/" in text
    assert text.endswith(f"{tmp_path} is not a Headrace project: it has neither headrace.yaml nor flows/.\n")


def test_paths_that_belong_to_no_project_do_not_stop_the_check_of_others(project: Path) -> None:
    (project.parent / "empty").mkdir()
    code, text = run(project.parent / "gone.yaml", project.parent / "empty", project)
    assert code == 2
    assert "there is no" in text
    assert "is not a Headrace project" in text
    assert "in 1 of 2 files" in text


def test_a_broken_file_does_not_stop_the_check_of_others(project: Path) -> None:
    (project / "flows" / "bad.yaml").write_text("flow: bad\n  nodes: [\n")
    (project / "flows" / "worse.yaml").write_text("flow: worse\ntrigger: {event: x}\nnodes: {a: {lgo: x}}\n")
    (project / "flows" / "latin.yaml").write_bytes("flow: größe\n".encode("latin-1"))
    code, text = run(project)
    assert (code, "in 3 of 4 files" in text) == (1, True)


def test_a_project_without_files_has_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    assert run(tmp_path) == (2, f"no file of a project is in {tmp_path}\n")


@pytest.mark.parametrize("mark", ["headrace.yaml", "flows/order.yaml"])
def test_a_project_below_the_folder_flows_is_another_project(project: Path, mark: str) -> None:
    (project / "flows" / "bad.yaml").unlink()
    other = project / "flows" / "other"
    (other / mark).parent.mkdir(parents=True)
    (other / mark).write_text("flow: bad\n")
    (other / "more").mkdir()
    (other / "more" / "bad.yaml").write_text("flow: bad\n")
    assert run(project) == (0, "✓ no errors in 1 file\n")
    assert run(other)[0] == 1

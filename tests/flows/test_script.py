"""Scripts are read with the files that name them."""

from pathlib import Path

import pytest

from flows.script import ScriptPlace, read_script


@pytest.mark.parametrize(("engine", "codes"), [("quickjs", []), ("no_such_module", ["H441"])])
def test_a_script_that_cannot_run_here_is_read_with_a_warning(tmp_path: Path, engine: str, codes: list[str]) -> None:
    (tmp_path / "mails.js").write_text("function module() {}")
    place = ScriptPlace(tmp_path, tmp_path, {}, engine)
    script, problems = read_script({"script": "mails.js"}, place, "module", "function module() {}")
    assert script is not None
    assert [(problem.code, problem.severity) for problem in problems] == [(code, "warning") for code in codes]

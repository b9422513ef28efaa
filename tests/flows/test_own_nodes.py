"""Own node types: what is loaded from a project's `nodes/` and from packages, and what is reported instead."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from flows.diagnostic import Diagnostic
from flows.project import LoadedProject, load_project
from nodes import builtin

POINTS = '''
from typing import Annotated

from nodes.authoring import ANYTHING, Meta, Node, NodeContext, Outcome, Port


class Points(Node, frozen=True, tag="shop.points"):
    """Turn an amount into points."""

    amount: Annotated[float, Meta(description="The amount", examples=[12.5])]
    output = ANYTHING
    done = Port("The points are the output", main=True)

    def run(self, context: NodeContext) -> Outcome:
        return self.done(int(self.amount) * FACTOR)


FACTOR = 2
'''
OTHER = POINTS.replace("shop.points", "shop.others").replace("Points", "Others")
FLOW = """
flow: order
trigger: {event: order-paid}
nodes:
  points: {shop.points: {amount: "{{ event.properties.total }}"}}
"""
PLAIN = "flow: plain\ntrigger: {event: order-paid}\nnodes:\n  note: {log: paid}\n"


def load(root: Path, **files: str) -> LoadedProject:
    """Load a project with these files of own nodes, a flow that uses `shop.points`, and one that does not."""
    for folder, texts in (("nodes", files), ("flows", {"order": FLOW, "plain": PLAIN})):
        (root / folder).mkdir(exist_ok=True)
        for name, text in texts.items():
            suffix = ".py" if folder == "nodes" else ".yaml"
            (root / folder / f"{name}{suffix}").write_text(dedent(text).lstrip())
    return load_project(root, builtin(), environment={})


def flows(loaded: LoadedProject) -> list[str]:
    return [flow.name for flow in loaded.project.flows]


def only(loaded: LoadedProject, file: str) -> Diagnostic:
    (found,) = [diagnostic for diagnostic in loaded.diagnostics if diagnostic.file == file]
    return found


def test_a_flow_uses_the_types_of_the_files_in_nodes(tmp_path: Path) -> None:
    loaded = load(tmp_path, points=POINTS, others=OTHER)
    assert loaded.diagnostics == ()
    assert flows(loaded) == ["order", "plain"]
    assert loaded.registry.places == {"shop.points": "nodes/points.py", "shop.others": "nodes/others.py"}
    assert set(loaded.sources) >= {"nodes/points.py", "nodes/others.py"}


def test_a_file_that_has_changed_is_imported_anew_with_what_it_imports(tmp_path: Path) -> None:
    sharing = POINTS.replace("FACTOR = 2", "").replace("from typing", "from ._shared import FACTOR\nfrom typing", 1)
    results = []
    for factor in (2, 3):
        loaded = load(tmp_path, points=sharing, _shared=f"FACTOR = {factor}\n")
        assert loaded.diagnostics == ()
        node = loaded.registry.find("shop.points")
        assert node is not None
        results.append(node(amount=2.0).run(None).out)  # type: ignore[call-arg, arg-type]
    assert results == [4, 6]
    assert not list(tmp_path.rglob("__pycache__"))


def test_files_that_have_not_changed_are_imported_once(tmp_path: Path) -> None:
    first, second = (load(tmp_path, points=POINTS).registry.find("shop.points") for _ in range(2))
    assert first is second


def test_two_projects_may_have_types_of_the_same_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = load(tmp_path / "one", points=POINTS).registry.find("shop.points")
    two = load(tmp_path / "two", points=POINTS).registry.find("shop.points")
    assert one is not None
    assert two is not None
    assert one is not two


def test_tests_and_hidden_files_are_not_imported(tmp_path: Path) -> None:
    broken = "raise SystemExit('imported')\n"
    loaded = load(tmp_path, points=POINTS, test_points=broken, points_test=broken, conftest=broken, _unused=broken)
    assert loaded.diagnostics == ()


@pytest.mark.parametrize(
    ("text", "line", "message", "help"),
    [
        pytest.param("x = 1\nx = 1 / 0\n", 2, "ZeroDivisionError: division by zero", "", id="an exception"),
        pytest.param("def f():\n    return = 1\n", 2, "it is not valid Python: ", "", id="bad syntax"),
        pytest.param("import sys\nsys.exit(3)\n", 2, "SystemExit: 3", "", id="an exit"),
        pytest.param("import acme_lib.x\n", 1, "No module named 'acme_lib'", "install `acme_lib`", id="no package"),
        pytest.param("from ._shared import x\n", 1, "headrace_own_nodes", "", id="no shared file"),
        pytest.param("from nodes.authoring import Nodes\n", 1, "cannot import name 'Nodes'", "", id="a wrong name"),
    ],
)
def test_a_file_that_cannot_be_imported_is_reported_and_takes_only_its_own_flows_with_it(
    tmp_path: Path, text: str, line: int, message: str, help: str
) -> None:
    loaded = load(tmp_path, points=f'{text}# class Points(Node, frozen=True, tag="shop.points")\n', others=OTHER)
    found = only(loaded, "nodes/points.py")
    assert (found.code, found.line) == ("H445", line)
    assert message in found.message
    assert help in found.help
    assert flows(loaded) == ["plain"]
    unknown = only(loaded, "flows/order.yaml")
    assert (unknown.code, unknown.help) == ("H111", "it is in nodes/points.py, which could not be loaded")
    assert loaded.registry.find("shop.others") is not None


def test_a_file_that_cannot_be_imported_hides_no_finding_about_others(tmp_path: Path) -> None:
    (tmp_path / "headrace.yaml").write_text("keys: {traits.customer: {exclusive: true}}\n")
    (tmp_path / "flows").mkdir()
    hand_over = "flow: over\ntrigger: {event: x}\nnodes:\n  over: {session.hand_over: {traits.card: C-1}}\n"
    (tmp_path / "flows" / "over.yaml").write_text(hand_over)
    codes = [found.code for found in load(tmp_path, points="1 / 0\n").diagnostics if found.file == "flows/over.yaml"]
    assert "H428" in codes


PORT = '    done = Port("The points are the output", main=True)\n'
FIELD = 'Annotated[float, Meta(description="The amount", examples=[12.5])]'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(PORT, "", "`shop.points` has no port of its own", id="no port"),
        pytest.param(", main=True", "", "`shop.points` has no main port", id="no main port"),
        pytest.param('"The points are the output"', '""', "port `done` of Points", id="a port without a text"),
        pytest.param(FIELD, "float", "field `amount` of Points", id="a field without a description"),
        pytest.param("Annotated[float", "Annotated[complex", "the type complex, which flows cannot", id="a bad field"),
        pytest.param("Annotated[float", 'Annotated["Money"', "NameError: name 'Money'", id="an unknown type"),
        pytest.param('"""Turn an amount into points."""', "", "needs a docstring", id="no docstring"),
        pytest.param("def run", "def runs", "has neither `run` nor `ask`", id="no run"),
        pytest.param("def run", "def ask", "asks but does not answer", id="no answer"),
        pytest.param('tag="shop.points"', 'tag="Shop Points"', "is not a name of a node type", id="a bad name"),
        pytest.param('tag="shop.points"', 'tag="when"', "`when` is a key of every node", id="a key of nodes"),
        pytest.param(', tag="shop.points"', "", "the file has no node type", id="no tag"),
    ],
)
def test_a_class_that_is_no_node_type_is_reported(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in POINTS
    loaded = load(tmp_path, points=POINTS.replace(old, new), others=OTHER)
    found = only(loaded, "nodes/points.py")
    assert found.code == "H446"
    assert message in found.message
    assert flows(loaded) == ["plain"]
    assert loaded.registry.find("shop.others") is not None


def test_the_line_of_a_report_is_that_of_the_class(tmp_path: Path) -> None:
    found = only(load(tmp_path, points=POINTS.replace(PORT, "")), "nodes/points.py")
    assert POINTS.lstrip().splitlines()[found.line - 1].startswith("class Points")


@pytest.mark.parametrize(
    ("name", "where"), [("profile.set", "Headrace itself"), ("shop.others", "nodes/others.py")], ids=["built-in", "own"]
)
def test_a_name_that_is_taken_is_reported(tmp_path: Path, name: str, where: str) -> None:
    loaded = load(tmp_path, points=POINTS.replace("shop.points", name), others=OTHER)
    found = only(loaded, "nodes/points.py")
    assert (found.code, found.message) == ("H447", f"the node type `{name}` exists already, in {where}")
    assert flows(loaded) == ["plain"]
    assert loaded.registry.find("profile.set") is builtin().find("profile.set")


@pytest.mark.parametrize(
    ("name", "message"),
    [("__init__", "the folder is no package"), ("my-points", "the name of the file is no name of a module")],
)
def test_a_file_that_cannot_be_a_module_of_nodes_is_reported(tmp_path: Path, name: str, message: str) -> None:
    loaded = load(tmp_path, **{name: POINTS})
    assert only(loaded, f"nodes/{name}.py").message == message


def test_a_type_that_raises_when_it_is_asked_for_its_ports_ends_only_its_own_flow(tmp_path: Path) -> None:
    raising = POINTS.replace(
        "    def run",
        "    @classmethod\n    def own_ports(cls, config):\n        return config['ports']\n\n    def run",
    )
    loaded = load(tmp_path, points=raising)
    found = only(loaded, "flows/order.yaml")
    assert (found.code, found.message) == (
        "H136", "a bug in `shop.points`, which cannot take this config: KeyError('ports')",
    )  # fmt: skip
    assert flows(loaded) == ["plain"]


def test_a_folder_whose_name_lacks_an_s_is_reported(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    assert only(load(tmp_path, points=POINTS), "node").help == "did you mean `nodes/`?"


class Installed:
    """A directory of installed packages that offer node types."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        monkeypatch.syspath_prepend(path)

    def install(self, name: str, text: str, entry: str, version: str = "1.2") -> None:
        """Install a package of one module."""
        info = self.path / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[headrace.nodes]\n{name} = {entry}\n")
        (self.path / f"{name}.py").write_text(text)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    before = set(sys.modules)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Installed(tmp_path / "site", monkeypatch)
    for name in set(sys.modules) - before:
        if name.startswith("acme_"):
            del sys.modules[name]


@pytest.mark.parametrize("entry", ["acme_points", "acme_points:Points"], ids=["a module", "a class"])
def test_a_flow_uses_the_types_of_installed_packages(tmp_path: Path, installed: Installed, entry: str) -> None:
    installed.install("acme_points", POINTS, entry)
    loaded = load(tmp_path)
    assert loaded.diagnostics == ()
    assert flows(loaded) == ["order", "plain"]
    assert (loaded.packages, loaded.registry.places) == (("acme_points 1.2",), {"shop.points": "acme_points 1.2"})


@pytest.mark.parametrize(
    ("text", "entry", "code", "message"),
    [
        pytest.param("1 / 0", "acme_points", "H445", "`acme_points` cannot be imported: ZeroDivision", id="raises"),
        pytest.param("", "acme_points:Points", "H445", "`acme_points:Points` cannot be imported", id="lacks it"),
        pytest.param("Points = 7", "acme_points:Points", "H446", "7 is no node type", id="no class"),
        pytest.param(POINTS.replace(PORT, ""), "acme_points", "H446", "no port of its own", id="no valid type"),
        pytest.param(POINTS.replace("shop.points", "log"), "acme_points", "H447", "`log` exists", id="taken"),
    ],
)
def test_what_a_package_offers_and_cannot_be_used_is_reported(
    tmp_path: Path, installed: Installed, text: str, entry: str, code: str, message: str
) -> None:
    installed.install("acme_points", text, entry)
    loaded = load(tmp_path, others=OTHER)
    found = only(loaded, "acme_points 1.2")
    assert (found.code, message in found.message) == (code, True)
    assert flows(loaded) == ["plain"]


def test_a_file_cannot_take_the_name_of_a_packages_type(tmp_path: Path, installed: Installed) -> None:
    installed.install("acme_points", POINTS, "acme_points")
    found = only(load(tmp_path, points=POINTS), "nodes/points.py")
    assert found.message == "the node type `shop.points` exists already, in acme_points 1.2"

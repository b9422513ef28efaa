"""Loading a project: the files that are used, those that are left out, and the diagnostics."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from engine.flow.registry import Registry
from engine.project.retention import Retention
from engine.project.secret import secrets_in
from flows.project import LoadedProject, load_project
from flows.secret import AnySecret
from flows.store_kind import STORES
from nodes import builtin
from storage import KINDS

FLOW = "flow: {name}\ntrigger: {{event: order-paid}}\nnodes:\n  note:\n    log: hello\n"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return builtin()


def load(
    root: Path, registry: Registry, files: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> LoadedProject:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load_project(root, registry, environment or {})


def codes(loaded: LoadedProject) -> list[str]:
    return [diagnostic.code for diagnostic in loaded.diagnostics]


def test_a_broken_flow_is_reported_and_the_others_are_loaded(tmp_path: Path, registry: Registry) -> None:
    files = {f"flows/{name}.yaml": FLOW.format(name=name) for name in ("b", "a")}
    loaded = load(tmp_path, registry, files | {"flows/broken.yaml": "flow: broken\nnodes: [\n"})
    assert [flow.name for flow in loaded.project.flows] == ["a", "b"]
    assert [diagnostic.file for diagnostic in loaded.diagnostics] == ["flows/broken.yaml"]
    assert loaded.failed


def test_a_project_with_all_kinds_of_files_is_loaded(tmp_path: Path, registry: Registry) -> None:
    files = {
        "headrace.yaml": (
            "name: shop\nstore: 'memory:'\nfields: {traits.first: oldest, traits.plain: newest}\n"
            "runs: {keep: {finished: 0.5}}\ndeduplication: {window: 2d}\nretention: {events: 400d, runs: 12h}\n"
            "events: {oldest: 3650d}\nspool: on\nspool_dir: /var/spool/shop\n"
            "targets:\n  crm: {url: https://crm.example/api, private: true}\n"
        ),
        "segments/vip.yaml": "segment: vip\nmanual: true\n",
        "segments/deep/rich.yaml": "segment: rich\ndescription: Big spenders.\ncondition: profile.traits.revenue > 5\n",
        "sources/web.yaml": "source: web\ndebugger: true\norigins: ['*']\n",
        "flows/a.yaml": FLOW.format(name="a"),
        "flows/sub/b.yaml": FLOW.format(name="b"),
        "flows/a.test.yaml": "not: a flow\n",
        "flows/.hidden.yaml": "not: a flow\n",
        "others/x.yaml": "not: ours\n",
    }
    loaded = load(tmp_path, registry, files)
    project = loaded.project
    assert loaded.diagnostics == ()
    assert (project.name, project.settings.store, project.settings.window_ms) == ("shop", "memory:", 172_800_000)
    assert project.settings.oldest_ms == 3650 * 86_400_000
    assert project.settings.retention == Retention({"events": 34_560_000_000, "runs": 43_200_000})
    assert (project.settings.spool, project.settings.spool_dir) == (True, "/var/spool/shop")
    assert project.settings.fields == {("traits", "first"): "oldest"}
    assert (project.settings.keep("finished"), project.settings.keep("failed")) == (0.5, 1.0)
    assert (list(project.targets), list(project.sources)) == (["crm"], ["web"])
    assert project.targets["crm"].private
    assert sorted(project.segments) == ["rich", "vip"]
    ((name, condition, _),) = project.segment_rules.rules
    assert name == "rich"
    assert condition.test({"profile": {"traits": {"revenue": 6}}})
    assert [flow.name for flow in project.flows] == ["a", "b"]
    assert len(loaded.sources) == 6


def test_the_known_kinds_of_stores_are_the_implemented_ones() -> None:
    assert set(STORES) == set(KINDS)


@pytest.mark.parametrize(("store", "message", "help"), [
    pytest.param("postgres://ann:secret@db/shop", "`postgres:` is not a kind of store", "known here:", id="unknown"),
    pytest.param("sqllite:shop.db", "`sqllite:` is not a kind of store", "did you mean `sqlite`?", id="misspelt"),
    pytest.param("http://localhost:9200", "`http:` is not a kind of store", "write `elasticsearch:`", id="http"),
    pytest.param("shop.db", "`shop.db` is not a kind of store", "write `sqlite:` before it", id="a file"),
    pytest.param("memory", "`memory` is not a kind of store", 'write "memory:"', id="without a colon"),
    pytest.param("${env:STORE}", "references are not resolved here", "HEADRACE_STORE", id="from the environment"),
])  # fmt: skip
def test_an_unknown_kind_of_store_is_reported_with_a_remedy_and_without_its_password(
    tmp_path: Path, registry: Registry, store: str, message: str, help: str
) -> None:
    loaded = load(tmp_path, registry, {"headrace.yaml": f"store: '{store}'\n"})
    (diagnostic,) = loaded.diagnostics
    assert (diagnostic.code, diagnostic.message) == ("H417", message)
    assert help in diagnostic.help
    assert "secret" not in f"{diagnostic.message}{diagnostic.help}"
    assert loaded.project.settings.store == store  # the data must not go to another store


@pytest.mark.parametrize(
    "store", ["sqlite:", "sqlite:shop.db", "memory:", "elasticsearch:http://localhost:9200?prefix=x"]
)
def test_a_store_of_a_known_kind_is_not_reported(tmp_path: Path, registry: Registry, store: str) -> None:
    assert load(tmp_path, registry, {"headrace.yaml": f"store: '{store}'\n"}).diagnostics == ()


def test_a_flow_has_its_text_and_the_hash_of_it(tmp_path: Path, registry: Registry) -> None:
    text = FLOW.format(name="a")
    (flow,) = load(tmp_path, registry, {"flows/a.yaml": text}).project.flows
    assert flow.text == text
    assert flow.version == sha256(text.encode()).hexdigest()
    assert flow.nodes[0].line == 4


def test_line_ends_do_not_change_the_version_of_a_flow(tmp_path: Path, registry: Registry) -> None:
    text = FLOW.format(name="a")
    (unix,) = load(tmp_path / "unix", registry, {"flows/a.yaml": text}).project.flows
    (tmp_path / "dos" / "flows").mkdir(parents=True)
    (tmp_path / "dos" / "flows" / "a.yaml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (dos,) = load_project(tmp_path / "dos", registry, {}).project.flows
    assert unix.version == dos.version


def test_an_empty_directory_is_an_empty_project_named_after_it(tmp_path: Path, registry: Registry) -> None:
    loaded = load(tmp_path / "shop", registry, {"README": "hello"})
    assert (loaded.project.name, loaded.project.flows, loaded.diagnostics) == ("shop", (), ())


def test_a_missing_directory_is_reported(tmp_path: Path, registry: Registry) -> None:
    assert codes(load_project(tmp_path / "gone", registry, {})) == ["H401"]


def test_the_first_of_two_flows_with_one_name_is_used(tmp_path: Path, registry: Registry) -> None:
    loaded = load(
        tmp_path, registry, {"flows/x.yaml": FLOW.format(name="a"), "flows/y.yaml": FLOW.format(name="a") + "\n"}
    )
    (diagnostic,) = loaded.diagnostics
    assert (diagnostic.code, diagnostic.file, diagnostic.related[0].file) == ("H405", "flows/y.yaml", "flows/x.yaml")
    assert [flow.text for flow in loaded.project.flows] == [FLOW.format(name="a")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("segments/vip.yaml", "segment: vip\nmanual: tru\n", id="a segment"),
        pytest.param("segments/vip.yaml", "segment: vip\nmanual: [\n", id="a segment that is not YAML"),
        pytest.param("headrace.yaml", "targets:\n  crm: {url: ftp://x}\n", id="a target"),
        pytest.param("headrace.yaml", "targets:\n  crm: {url: @x}\n", id="settings that are not YAML"),
        pytest.param("headrace.yaml", "targets: {crm: {url: '${env:GONE}'}}\n", id="a target's secret"),
    ],
)
def test_a_mistake_is_not_reported_again_where_its_name_is_used(
    tmp_path: Path, registry: Registry, name: str, text: str
) -> None:
    flow = FLOW.format(name="a") + (
        "    next: [keep, ask]\n  keep:\n    segment.add: vip\n"
        "  ask:\n    lookup.http: {target: crm, path: /x}\n    next: {failed: end}\n  end:\n    log: hello\n"
    )
    good = {
        "headrace.yaml": "targets: {crm: {url: https://crm.example}}\n",
        "segments/vip.yaml": "segment: vip\nmanual: true\n",
    }
    loaded = load(tmp_path, registry, {"flows/a.yaml": flow} | good | {name: text})
    assert {diagnostic.file for diagnostic in loaded.diagnostics} == {name}


def test_secrets_are_resolved_and_never_printed(tmp_path: Path, registry: Registry) -> None:
    settings = (
        "targets:\n  crm:\n    url: ${env:CRM_URL}\n"
        "    headers: {Authorization: 'Bearer ${env:TOKEN}', X-Key: '${file:secrets/key}', Accept: text/plain}\n"
    )
    environment = {"CRM_URL": "https://crm.example/geheim-url", "TOKEN": "geheim-token"}
    loaded = load(tmp_path, registry, {"headrace.yaml": settings, "secrets/key": "geheim-key\n"}, environment)
    crm = loaded.project.targets["crm"]
    assert loaded.diagnostics == ()
    assert crm.url == "https://crm.example/geheim-url"
    assert crm.headers == {"Authorization": "Bearer geheim-token", "X-Key": "geheim-key", "Accept": "text/plain"}
    assert secrets_in(crm.headers["Authorization"]) == ("geheim-token",)
    assert "geheim" not in repr(loaded)
    with pytest.raises(TypeError):
        msgspec.json.encode(crm)


def test_the_message_about_an_invalid_value_does_not_contain_its_secret(tmp_path: Path, registry: Registry) -> None:
    settings = "targets: {crm: {url: '${env:TOKEN}'}}\n"
    loaded = load(tmp_path, registry, {"headrace.yaml": settings}, {"TOKEN": "geheim"})
    assert codes(loaded) == ["H404"]
    assert "geheim" not in repr(loaded)


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        pytest.param("${env:GONE}", "${env:GONE}", id="a variable that is not set"),
        pytest.param("${env:EMPTY}", "${env:EMPTY}", id="a variable that is empty"),
        pytest.param("${file:gone}", "${file:gone}", id="a file that is not there"),
        pytest.param("${file:.}", "${file:.}", id="a directory"),
        pytest.param("${vault:x}", "${vault:x}", id="an unknown kind"),
        pytest.param("Bearer ${env:GONE}", "${env:GONE}", id="in the middle of a text"),
    ],
)
def test_a_target_with_an_unresolved_secret_is_left_out(
    tmp_path: Path, registry: Registry, value: str, reference: str
) -> None:
    targets = f"crm: {{url: https://crm.example, headers: {{Key: '{value}'}}}}, other: {{url: https://other.example}}"
    settings = f"name: shop\ntargets: {{{targets}}}\n"
    loaded = load(tmp_path, registry, {"headrace.yaml": settings}, {"EMPTY": ""})
    (diagnostic,) = loaded.diagnostics
    line = settings.split("\n")[diagnostic.line - 1]
    assert (diagnostic.code, line[diagnostic.column - 1 : diagnostic.end_column - 1]) == ("H408", reference)
    assert (list(loaded.project.targets), loaded.project.name) == (["other"], "shop")


def test_references_outside_targets_are_plain_text(tmp_path: Path, registry: Registry) -> None:
    loaded = load(tmp_path, registry, {"headrace.yaml": "name: '${env:HOME}' # ${env:GONE}\n"}, {"HOME": "x"})
    assert (loaded.project.name, loaded.diagnostics) == ("${env:HOME}", ())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"flow: a\nx: \xff\n", "H029", id="not UTF-8"),
        pytest.param(b"x: " + b"\xc3" * 2_000_000, "H024", id="enormous and not UTF-8"),
        pytest.param(b"x: " + b"y" * 2_000_000, "H024", id="enormous"),
        pytest.param(b"- a\n", "H030", id="a list"),
        pytest.param(b"", "H030", id="empty"),
    ],
)
def test_a_file_without_a_flow_is_reported(tmp_path: Path, registry: Registry, content: bytes, code: str) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "a.yaml").write_bytes(content)
    loaded = load_project(tmp_path, registry, {})
    assert codes(loaded) == [code]


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [
        pytest.param("deduplication: {window: soon}\n", "H119", "soon", id="a window that is no duration"),
        pytest.param("events: {oldest: ever}\n", "H119", "ever", id="an age of events that is no duration"),
        pytest.param("deduplication: {window: 0s}\n", "H119", "0s", id="no window at all"),
        pytest.param("fields: {traits: max}\n", "H404", "traits", id="a field without a name"),
        pytest.param("fields: {metadata.x: max}\n", "H404", "metadata.x", id="a field that flows do not set"),
        pytest.param("fields: {'traits.': max}\n", "H204", "'traits.'", id="a field that is no path"),
        pytest.param("fields: {traits.x: maximum}\n", "H404", "maximum", id="an unknown rule"),
        pytest.param("runs: {keep: {finished: 2}}\n", "H404", "2", id="a share above one"),
        pytest.param("runs: {keep: {gone: 1}}\n", "H402", "gone", id="an unknown outcome"),
        pytest.param("targets: {crm: https://x}\n", "H404", "https://x", id="a target that is no map"),
        pytest.param("targets: {crm: {url: https://x, headers: {a: 1}}}\n", "H404", "1", id="a header that is no text"),
        pytest.param("[a]\n", "H404", "[a]", id="a list"),
    ],
)
def test_an_invalid_setting_is_underlined(
    tmp_path: Path, registry: Registry, settings: str, code: str, text: str
) -> None:
    loaded = load(tmp_path, registry, {"headrace.yaml": settings})
    (diagnostic,) = loaded.diagnostics
    assert (diagnostic.code, settings[diagnostic.column - 1 : diagnostic.end_column - 1]) == (code, text)


def test_an_error_in_the_settings_does_not_change_the_store(tmp_path: Path, registry: Registry) -> None:
    loaded = load(tmp_path, registry, {"headrace.yaml": "store: sqlite:shop.db\nfeilds: {}\n"})
    assert (codes(loaded), loaded.project.settings.store) == (["H402"], "sqlite:shop.db")


def test_a_segment_has_windows(tmp_path, registry):
    text = "segment: steady\ncondition: profile.traits.revenue > 5\nfor: 7d\nwithin: 12h\n"
    loaded = load(tmp_path, registry, {"segments/steady.yaml": text})
    segment = loaded.project.segments["steady"]
    assert (segment.for_ms, segment.within_ms, segment.windowed) == (604_800_000, 43_200_000, True)
    assert loaded.diagnostics == ()


def test_a_counter_may_be_counted_by_a_flow_that_cannot_be_read(tmp_path, registry):
    files = {
        "segments/buyers.yaml": "segment: buyers\ncondition: counted('orders', '7d') > 1\n",
        "flows/broken.yaml": "flow: broken\n  nodes: {{{\n",
    }
    codes = [one.code for one in load(tmp_path, registry, files).diagnostics]
    assert "H414" not in codes


def test_a_made_up_secret_fits_every_place_of_a_target(tmp_path: Path, registry: Registry) -> None:
    settings = """
        targets:
          mail: {url: "${env:SMTP}", sender: shop@shop.example, user: "${env:USER_NAME}", password: "${env:PASSWORD}"}
          partner: {url: "${env:PARTNER}", secret: "${env:SIGNING}", test: {url: "${env:TEST}", secret: "${env:OTHER}"}}
    """
    flow = """
        flow: order
        trigger: {event: order-paid}
        nodes:
          letter:
            deliver.email: {target: mail, to: a@shop.example, subject: Hello, text: Hello}
            next: {done: hook, failed: hook}
          hook:
            deliver.webhook: {target: partner, type: order.paid}
            next: {failed: end}
          end:
            log: over
    """
    loaded = load(tmp_path, registry, {"headrace.yaml": settings, "flows/order.yaml": flow}, AnySecret({"": ""}))
    assert loaded.diagnostics == ()

"""The words of the code: retired names and phrases do not come back, and the glossary names only what exists."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("engine", "nodes", "flows", "storage", "effects", "api", "cli")
FOLDERS = (*PACKAGES, "tests", "docs", "benchmarks")
EXEMPT = {Path(__file__), ROOT / "tests" / "storage" / "upgrade" / "write_old_store.py"}
GLOSSARY = (ROOT / "ARCHITECTURE.md").read_text()

# Regular expressions; the right side of each line is the word to use.
RETIRED = (
    r"\bBeing\b|\bbeings\b",  # UnitEvent, unit event
    r"\bBoarded\b|\bflying\b|_arrive\b|_fall\b",  # Enqueued, committing, _on_committed, _fail_all
    r"aboard\b|landed\b|\b_?board(s|ed|ing)?\b|\bin vain\b",  # enqueued, committed, enqueue, without success
    r"\bDrainingTracker\b|\bsight_of\b",  # Drain, open_to_all
    r"\bAhead\b",  # UncommittedState
    r"\bsorted_out\b|\btaken_before\b",  # split_duplicates, committed_earlier
    r"\bUNTOUCHED\b|\bMissed\b",  # UNCHANGED, FailedUnit
    r"\bSight\b|\bfirst_sight\b",  # RunState, initial_state
    r"\bwhose\.py|\bsomebody_at\b|\b(class|raise|except|import) Nobody\b",  # resolve.py, require_profile, NoSuchProfile
    r"\bLane\b|convoy",  # OrderedGroup, batch
    r"\bBelongings\b",  # DataSubject
    r"\bclass Fill\b|\bimport .*\bFill\b",  # ConfigTemplate
    r"\bComplaints\b",  # ProblemList
    r"\bMOST_",  # MAX_
    r"\bTimelessLoop\b|\btimeless\b",  # VirtualTimeLoop
    r"\b[Rr]oster\b|\bSpot\b",  # KnownNames, LocatedValue
    r"\bReadingKey\b|\bthe desk\b",  # AccessGuard, endpoint
    r"\bStepNamed\b|\bimport Step\b",  # LinkName, Link
    r"\bperson: Profile\b|\bperson\.(ids?|parts|version)\b",  # profile
    r"\bclass Mark\b|\bimport .*\bMark\b",  # ProcessedEvent
    r"\bby and by\b",  # in time, later
    r"\bprofile[./](write|why|visible|shown)\b",  # modules that have other names now
    r"\bflow[./](attempts|plain|note|listed|calls|fill|sight|draft)\b",
    r"\blanguage[./](signs|mistakes|leaves|clocks|scope)\b",
    r"\belasticsearch[./](held|entry|check|turns|chain|source|pause)\b",
    r"\bunite\(|\b(un)?merge\(profile\b|\ball_proven\b",  # regroup, undo, all_own
    r"\bdecide_join\b|\blink_limit_reason\b",  # decide_key, accept
    r"\bengine[./]profile[./]merge\b",  # linking, joining, grouping
    r"\bsqlite[./](wash|scrub)\b",
    r"\bapi[./](looking|shown|document)\b",
    r"\bcli[./](apart|child|shop)\b",
    r"\bflows[./](spot|roster|mentions|sent|standin|traps|place|circle)\b",
    r"\btracking[./](being|lines|work|request|done|whose|known|joined|promise|forgotten|spooled|sight_of)\b",
    r"\btracking[./](ports|records|identity|project|source|segments|retention|token|tracker|loading|driver)\b",
)
# Words and phrases that a plain English sentence does not need; the right side says what to write.
RETIRED_PROSE = (
    r'"""(What|Who|Whom|Whose)\b',  # a subject, or a verb: "The links of a profile", "Return the links"
    r"\bgives\b(?! (up|way)\b)",  # returns, yields, grants
    r"\banew\b|\bonce more\b",  # again
    r"\blets? go of\b",  # releases, drops, closes
    r"\btold\b",  # reported, answered; a variable is named for its value
    r"\b[Ss]omebody\b",  # a profile, a caller, another process
    r"\bcrossings?\b|\bMAX_CROSSINGS\b",  # segment events
    r"\bSeen\b",  # NodeContext, StoredState
    r"\b[Mm]isfits?\b",  # validation message, problem
    r"_fly\b|\blanes?\b",  # flush, ordered group
    r"\bproblem\.Wrong\b",  # ProblemError
    r"\bparcels?\b",  # entry of a spool
)


@cache
def texts() -> dict[str, str]:
    """All sources, pages and YAML files, by path; without this file, the changelog, and a script for older code."""
    files = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "Makefile", "pyproject.toml")]
    files += [
        path for folder in FOLDERS for suffix in ("py", "md", "yaml") for path in ROOT.glob(f"{folder}/**/*.{suffix}")
    ]
    return {str(path.relative_to(ROOT)): path.read_text() for path in files if path not in EXEMPT}


def found_in(pattern: str) -> list[str]:
    """The matches of a pattern, each as `PATH:LINE: MATCH`."""
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path, text in texts().items()
        for match in re.finditer(pattern, text)
    ]


@pytest.mark.parametrize("pattern", RETIRED)
def test_a_retired_word_does_not_come_back(pattern: str) -> None:
    assert not found_in(pattern)


@pytest.mark.parametrize("pattern", RETIRED_PROSE)
def test_a_retired_phrase_does_not_come_back(pattern: str) -> None:
    assert not found_in(pattern)


def test_no_sentence_outside_tests_speaks_of_nobody() -> None:
    found = found_in(r"\b[Nn]obody\b")  # no profile, no caller, no process; in tests it is an id and a user's name
    assert not [where for where in found if not where.startswith("tests/")]


def entries() -> list[str]:
    """The lines of the glossary."""
    section = GLOSSARY.partition("## Words of the code\n")[2].partition("\n## ")[0]
    return re.findall(r"^- (.+)$", section, re.MULTILINE)


def code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.fixture(scope="module")
def sources() -> str:
    return "\n".join(text for path, text in texts().items() if path.endswith(".py") and path.split("/")[0] in PACKAGES)


def test_every_name_in_the_glossary_is_in_the_code(sources: str) -> None:
    names = {name for entry in entries() for name in code(entry) if re.fullmatch(r"[\w.]+", name)}
    assert len(names) > 50
    identifiers = set(re.findall(r"\w+", sources))
    assert not [name for name in sorted(names) if not identifiers.issuperset(name.removesuffix(".py").split("."))]


def test_the_glossary_is_alphabetical_and_explains_each_word_once() -> None:
    terms = [re.sub(r"[`*]", "", entry.partition(":")[0]).lower() for entry in entries()]
    assert len(terms) > 50
    assert terms == sorted(set(terms))


def test_every_path_in_the_map_of_the_code_exists() -> None:
    paths = {name for name in code(GLOSSARY) if re.fullmatch(r"[\w./-]+/[\w./-]*|[\w./-]+\.(py|md|toml)", name)}
    assert len(paths) > 50
    assert not [path for path in sorted(paths) if not (ROOT / path).exists()]


def test_a_question_about_the_code_is_answered_by_three_files_at_most() -> None:
    table = GLOSSARY.partition("## Where is …?\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!question|--)(.+?) \| (.+) \|$", table, re.MULTILINE)
    assert len(rows) >= 10
    assert not [question for question, files in rows if not 1 <= len(set(re.findall(r"`([\w/-]+\.py)`", files))) <= 3]

"""The table of habits from other languages; `test_remedies.py` has the diagnostics themselves."""

import time
from string import Formatter

import pytest

from engine.language.habits import _HABITS, LENGTH_CAP, recognised
from engine.language.refusal import SYNTAX
from engine.problem import Problem


def test_a_message_and_a_remedy_name_only_groups_of_their_pattern():
    for habit in _HABITS:
        for text in (habit.message, habit.help if isinstance(habit.help, str) else ""):
            names = {name for _, name, _, _ in Formatter().parse(text) if name}
            assert names <= set(habit.pattern.groupindex), habit.pattern.pattern


@pytest.mark.parametrize(
    "part",
    ["a,", "a ? b : ", "'", "x for ", "a.b[0]", "is not ", "1,000 ", "a == b or ", "$.a", "{", "a | b ", "a.map(", "("],
)
def test_recognising_takes_a_bounded_time(part: str):
    text = (part * LENGTH_CAP)[:LENGTH_CAP]
    problem = Problem(code=SYNTAX, message="unexpected", offset=LENGTH_CAP // 2)
    start = time.process_time()
    recognised(problem, text, 0, len(text))
    assert time.process_time() - start < 2

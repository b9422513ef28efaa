import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.absent import Unfit
from engine.language.agent import AGENT_CAP, user_agent

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.1 Mobile/15E148 Safari/604.1"
)
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def test_a_browser_says_its_name_system_and_device():
    assert user_agent(IPHONE) == {
        "browser": {"name": "Mobile Safari", "version": "17.1"},
        "os": {"name": "iOS", "version": "17.1"},
        "device": {"name": "iPhone", "brand": "Apple", "model": "iPhone"},
        "robot": False,
    }


def test_a_robot_is_known_as_one():
    assert user_agent(ROBOT)["robot"] is True


@pytest.mark.parametrize("text", ["", "x", "\N{SNOWMAN}" * 500])
def test_an_unknown_text_says_nothing(text):
    assert user_agent(text) == {"robot": False}


@pytest.mark.parametrize("value", [1, None, "x" * (AGENT_CAP + 1)])
def test_what_is_no_user_agent_is_unfit(value):
    with pytest.raises(Unfit):
        user_agent(value)


@given(st.text(st.characters(), max_size=200))
def test_any_text_is_read_or_has_half_characters(text):
    try:
        assert isinstance(user_agent(text)["robot"], bool)
    except UnicodeError:
        assert any("\ud800" <= character <= "\udfff" for character in text)


def test_the_longest_text_takes_little_time():
    user_agent(IPHONE)
    begun = time.process_time()
    for part in ("Mozilla/5.0 (", "Android ", "(a;", "Safari/1.1", " ", ";", "Build/"):
        user_agent((part * AGENT_CAP)[:AGENT_CAP])
    assert time.process_time() - begun < 2

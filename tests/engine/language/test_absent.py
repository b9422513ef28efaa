import copy
import pickle

from engine.language.absent import ABSENT, Absent, Unfit, Unusable


def test_absent_is_one_and_false():
    assert repr(ABSENT) == "absent"
    assert not ABSENT
    assert copy.deepcopy(ABSENT) is ABSENT
    assert pickle.loads(pickle.dumps(ABSENT)) is ABSENT  # noqa: S301


def test_what_is_absent_is_named():
    absent = Absent("event.properties.total")
    assert isinstance(absent, Unusable)
    assert absent.path == "event.properties.total"
    assert absent.reason == str(absent) == "`event.properties.total` is absent"


def test_what_does_not_fit_says_why():
    assert Unfit("too long").reason == "too long"

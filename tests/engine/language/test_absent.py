import copy
import pickle

from engine.language.absent import ABSENT, Absent, Unfit, Unusable


def test_absent_is_a_single_false_value():
    assert repr(ABSENT) == "absent"
    assert not ABSENT
    assert copy.deepcopy(ABSENT) is ABSENT
    assert pickle.loads(pickle.dumps(ABSENT)) is ABSENT  # noqa: S301


def test_the_error_of_an_absent_value_names_its_path():
    absent = Absent("event.properties.total")
    assert isinstance(absent, Unusable)
    assert absent.path == "event.properties.total"
    assert absent.reason == str(absent) == "`event.properties.total` is absent"


def test_the_error_of_an_unfit_value_has_its_reason():
    assert Unfit("too long").reason == "too long"

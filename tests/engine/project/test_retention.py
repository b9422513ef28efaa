"""Retention: how long documents are kept."""

from engine.project.retention import Keep, Retention


def test_a_kind_without_an_age_is_kept_forever() -> None:
    assert Retention({"runs": 30}).keep(100) == Keep(runs=70)
    assert Retention().keep(100) == Keep()


def test_a_retention_that_drops_nothing_is_false() -> None:
    assert not Retention()
    assert Retention({"rejected": 1})

"""The identity protocol keeps its promises in random histories, and each wrong variant of it breaks one.

`HEADRACE_HISTORIES` is how many histories are played, in place of the usual number; `HEADRACE_SEED` is the first one's
seed. A history that fails is played again, and printed, by `python -m tests.model --seed N -v`.
"""

import os
import re
from pathlib import Path

import pytest

from tests.fast import cases
from tests.model.simulation import play
from tests.model.store import Broken
from tests.model.variants import VARIANTS

SPARE = {name for name, variant in VARIANTS.items() if variant.seed is None}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("histories", [3_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_the_protocol_keeps_its_promises(histories: int) -> None:
    first = int(os.environ.get("HEADRACE_SEED", "0"))
    count = int(os.environ.get("HEADRACE_HISTORIES", str(cases(histories))))
    for seed in range(first, first + count):
        try:
            play(seed)
        except Broken as broken:
            raise AssertionError(f"seed {seed} breaks a promise: {broken}") from broken


@pytest.mark.parametrize("name", sorted(VARIANTS.keys() - SPARE))
def test_a_wrong_variant_breaks_a_promise(name: str) -> None:
    seed = VARIANTS[name].seed
    assert seed is not None
    play(seed)  # it is the variant that breaks it
    with pytest.raises(Broken):
        play(seed, [name])


def test_every_variant_is_in_the_protocol_and_named() -> None:
    sources = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    assert set(re.findall(r'\.wrong\("(\w+)"\)', sources)) == VARIANTS.keys()

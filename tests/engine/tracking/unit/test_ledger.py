"""The ledger: slots of counters that several processes share, and the sum of all."""

import mmap
from tempfile import TemporaryFile

from engine.tracking.unit.ledger import SLOT_BYTES, Counted, Ledger, Totals


def test_the_totals_are_those_of_all_slots() -> None:
    memory = memoryview(bytearray(3 * SLOT_BYTES))
    first, second, third = (Ledger(memory, slot) for slot in range(3))
    first.count(Counted(stored=2, rejected=1))
    second.count(Counted(stored=1, processed=4, duplicate=5))
    third.queue(7)
    third.queue(-3)
    expected = Totals(received=17, stored=3, processed=4, rejected=1, duplicate=5, queued=4)
    assert [each.totals() for each in (first, second, third)] == [expected] * 3


def test_a_process_that_takes_the_place_of_another_counts_on_and_counts_its_own_spool() -> None:
    memory = memoryview(bytearray(2 * SLOT_BYTES))
    dead = Ledger(memory, 1)
    dead.count(Counted(stored=2))
    dead.queue(5)
    replacement = Ledger(memory, 1)
    replacement.start_queue(3)
    replacement.count(Counted(stored=1))
    assert replacement.totals() == Totals(received=6, stored=3, processed=0, rejected=0, duplicate=0, queued=3)


def test_slots_in_a_mapped_file_are_seen_through_every_map_of_it() -> None:
    with TemporaryFile() as file:
        file.write(bytes(2 * SLOT_BYTES))
        file.flush()
        maps = [memoryview(mmap.mmap(file.fileno(), 0)) for _ in range(2)]
        ledgers = [Ledger(memory, slot) for slot, memory in enumerate(maps)]
        for ledger in ledgers:
            ledger.count(Counted(stored=2**40))
        assert [ledger.totals().received for ledger in ledgers] == [2**41, 2**41]

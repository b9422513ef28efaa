from engine.sending.offers import CAPACITY, Offer, Offers


def test_the_longest_due_is_taken_first():
    offers = Offers()
    for due in (3, 1, 2):
        assert offers.offer(f"d{due}", due, 1)
    assert [offers.take().id for _ in range(len(offers))] == ["d1", "d2", "d3"]


def test_a_delivery_is_offered_once_until_it_is_released():
    offers = Offers()
    assert offers.offer("d1", 1, 1)
    assert not offers.offer("d1", 1, 1)
    offers.take()
    assert not offers.offer("d1", 1, 1)
    offers.release("d1")
    assert offers.offer("d1", 1, 1)


def test_a_search_that_lags_offers_nothing_that_was_written_since():
    offers = Offers()
    offers.remember("d1", 2)
    assert not offers.offer("d1", 1, 1)
    assert offers.offer("d1", 1, 3), "an operator has had it sent again"


def test_one_that_waits_for_another_is_offered_again_when_that_one_is_released():
    offers = Offers()
    offers.offer("first", 1, 1)
    offers.offer("second", 2, 1)
    first, second = offers.take(), offers.take()
    offers.keep_behind(first.id, second)
    assert not offers
    assert not offers.offer("second", 2, 1)
    offers.release(first.id)
    assert offers.take() == Offer(2, "second")


def test_clearing_keeps_what_is_under_way():
    offers = Offers()
    offers.offer("first", 1, 1)
    offers.offer("second", 2, 1)
    offers.offer("third", 3, 1)
    first, second = offers.take(), offers.take()
    offers.keep_behind(first.id, second)
    offers.clear()
    assert not offers
    assert offers.is_reserved("first")
    assert offers.offer("second", 2, 1)
    assert offers.offer("third", 3, 1)
    offers.release("first")
    assert len(offers) == 2


def test_memory_is_bounded():
    offers = Offers()
    for number in range(CAPACITY):
        offers.offer(str(number), number, 1)
    assert not offers.offer("one more", 0, 1)

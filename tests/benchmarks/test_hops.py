"""How far a warm request walks through the code before its commit."""

from benchmarks.hops import walk_of_page_view

MAX_FILES = 32
MAX_HOPS = 100


async def test_a_warm_page_view_enters_few_files_and_moves_seldom_between_them() -> None:
    walk = await walk_of_page_view()
    assert "storage/memory.py" not in walk.files  # the count ends before the store's own work
    assert {"api/tracking/track.py", "engine/tracking/unit/compose.py"} <= walk.files
    assert len(walk.files) <= MAX_FILES, sorted(walk.files)
    assert len(walk.hops) <= MAX_HOPS, walk.hops


async def test_a_second_count_of_the_same_request_is_the_same() -> None:
    assert (await walk_of_page_view()).hops == (await walk_of_page_view()).hops

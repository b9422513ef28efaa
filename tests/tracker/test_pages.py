"""Page views, time on pages and identities, in Chromium: each event is stored once."""

from tests.tracker.conftest import Document, Shop


def seen(events: list[Document]) -> list[tuple[str, str]]:
    return [(event["type"], event["properties"]["page"].rpartition("/")[2]) for event in events]


async def test_a_page_view_is_stored_with_its_address_and_title(shop: Shop) -> None:
    await shop.run("kept.page = await kept.open(url)", url=shop.page("/shoes"))
    (view,) = await shop.stored(1)
    address = f"{shop.site.origin}/{shop.source}/shoes"
    expected = {"page": f"/{shop.source}/shoes", "url": address, "title": "Shop", "referrer": ""}
    assert (view["type"], view["properties"]) == ("page-view", expected)


async def test_a_page_that_changes_its_address_is_several_pages(shop: Shop) -> None:
    code = """
    const page = await kept.open(url);
    await page.waitForTimeout(150);
    await page.evaluate(() => history.pushState({}, '', 'boots'));
    await page.waitForTimeout(150);
    await page.evaluate(() => history.replaceState({}, '', 'boots'));
    await page.goBack();
    """
    await shop.run(code, url=shop.page("/shoes"))
    events = await shop.stored(5)
    assert seen(events) == [
        ("page-view", "shoes"),
        ("page-left", "shoes"),
        ("page-view", "boots"),
        ("page-left", "boots"),
        ("page-view", "shoes"),
    ]
    assert 0.1 <= events[1]["properties"]["seconds"] < 5


async def test_a_page_that_is_left_sends_what_it_has(shop: Shop) -> None:
    code = """
    const page = await kept.open(url);
    await page.waitForTimeout(150);
    await page.evaluate(() => headrace.track('order-completed', {page: 'x/now', total: 620}));
    await page.goto(next);
    """
    await shop.run(code, url=shop.page("/shoes"), next="about:blank")
    assert seen(await shop.stored(3)) == [("page-view", "shoes"), ("order-completed", "now"), ("page-left", "shoes")]


async def test_a_user_is_known_in_later_sessions(shop: Shop) -> None:
    code = """
    const page = await kept.open(url);
    await page.evaluate(() => headrace.identify('C-1', {plan: 'pro'}));
    await page.goto('about:blank');
    await kept.open(url);
    """
    await shop.run(code, url=shop.page())
    events = await shop.stored(4)
    assert len({event["profile"] for event in events[1:]}) == 1
    profile = shop.get(f"/profiles/{events[-1]['profile']}")
    assert (profile["traits"]["user_id"], profile["traits"]["plan"]) == ("C-1", "pro")


async def test_a_visitor_who_is_reset_is_another_one(shop: Shop) -> None:
    code = "const page = await kept.open(url); await page.evaluate(() => { headrace.reset(); headrace.track('next'); })"
    await shop.run(code, url=shop.page())
    first, second = await shop.stored(2)
    assert first["profile"] != second["profile"]


async def test_the_trace_of_the_flows_is_printed_in_the_console(shop: Shop) -> None:
    code = "const page = await kept.open(url); await page.evaluate(() => headrace.identify('C-1', {plan: 'pro'}))"
    await shop.run(code, url=shop.page(debugger="true"))
    await shop.stored(2)
    lines = await shop.run("return kept.lines")
    assert any(line.startswith("identify: ") for line in lines), lines
    assert any(line == "identify: finished" for line in lines), lines

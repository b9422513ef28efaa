"""Page views, time on pages and identities, in Chromium: each event is stored once."""

from pathlib import Path

from tests.servers.fault import Pass
from tests.tracker.conftest import Document, Shop
from tests.tracker.site import Page


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
    await kept.later(1000); // else the page was not visible for long enough to say so
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
    lines: list[str] = []
    while "identify: finished" not in lines:  # they come after the answer
        lines = await shop.run("return kept.lines")
    assert {"page-view: stored", "identify: stored"} <= set(lines)


async def test_a_session_ends_after_half_an_hour_at_rest_and_all_tabs_share_it(shop: Shop) -> None:
    code = """
    const tabs = [await kept.open(url), await kept.open(url)];
    for (const minutes of [0, 29, 31]) {
      await kept.context.clock.fastForward(minutes * 60000);
      for (const tab of tabs) {
        const visitor = await tab.evaluate((name) => (headrace.track('event'), localStorage[name]), name);
        // Another tab sees a little later what this one has stored.
        for (const other of tabs) {
          await other.waitForFunction(([name, visitor]) => visitor && localStorage[name] === visitor, [name, visitor]);
        }
      }
    }
    """
    await shop.run(code, url=shop.page(pages="false"), name=f"headrace.{shop.source}")
    events = await shop.stored(6)
    assert len({event["profile"] for event in events}) == 1
    first, *_, last = sessions = [event["session"] for event in events]
    assert sessions == [*[first] * 4, *[last] * 2]
    assert first != last


async def test_an_event_is_sent_without_a_user_token_that_the_server_does_not_take(shop: Shop) -> None:
    code = "const page = await kept.open(url); await page.evaluate(() => headrace.identify('C-1', {}, 'expired'))"
    await shop.run(code, url=shop.page(pages="false"))
    await shop.settled(1)
    await shop.proxy.happened(Pass, 2)  # the first answer is 401
    assert [event["type"] for event in await shop.stored(1)] == ["identify"]


async def test_the_sample_page_sends_what_its_visitor_does(shop: Shop) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tracker-sample.html").read_text()
    page = page.replace("http://127.0.0.1:8686", shop.proxy.url).replace("web-shop", shop.source)
    code = "const page = await kept.open(url); for (const name of names) await page.click('#' + name)"
    await shop.run(code, url=shop.site.put("/sample", Page(page)), names=["agree", "buy", "login", "logout"])
    assert [event["type"] for event in await shop.stored(3)] == ["page-view", "order-completed", "identify"]

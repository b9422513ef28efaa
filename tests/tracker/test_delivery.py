"""Events are delivered whatever fails on the way, and each counts once."""

import pytest

from tests.clients.faulty_proxy import Refused
from tests.servers.fault import Fault, Hang, Loss, Reset
from tests.tracker.conftest import Shop

STARTED = "kept.page = await kept.open(url); await kept.page.evaluate(() => headrace.track('first'));"


@pytest.mark.parametrize(
    "fault",
    [Refused(503, retry_after=1), Refused(500), Refused(429), Refused(503, taken=True), Reset(), Loss(), Hang()],
    ids=str,
)
async def test_a_request_that_fails_is_sent_again(shop: Shop, fault: Fault) -> None:
    shop.proxy.plan(fault)
    await shop.run(STARTED, url=shop.page(pages="false"))
    (event,) = await shop.stored(1)
    assert event["type"] == "first"
    assert len(shop.proxy.requests) == 2


async def test_a_request_is_sent_again_when_the_server_says_so(shop: Shop) -> None:
    shop.proxy.plan(Refused(429, retry_after=60))
    await shop.run(STARTED, url=shop.page(pages="false"))
    await shop.later(3)
    await shop.proxy.happened(Refused)
    await shop.run("await kept.page.evaluate(() => headrace.track('second'))")
    await shop.later(50)
    assert len(shop.proxy.requests) == 1
    assert [event["type"] for event in await shop.stored(2)] == ["first", "second"]


async def test_events_of_a_device_without_a_network_are_sent_when_it_is_back(shop: Shop) -> None:
    code = """
    await kept.context.setOffline(true);
    await kept.page.evaluate(() => { headrace.track('second'); headrace.track('third'); });
    await kept.later(5000);
    await kept.context.setOffline(false);
    """
    await shop.run(STARTED, url=shop.page(pages="false"))
    await shop.stored(1)
    await shop.run(code)
    assert [event["type"] for event in await shop.stored(3)] == ["first", "second", "third"]


@pytest.mark.parametrize("locks", [True, False])
async def test_events_that_no_page_could_send_are_sent_by_the_next_one(shop: Shop, locks: bool) -> None:
    code = """
    if (!locks) await kept.context.addInitScript(() => delete Navigator.prototype.locks);
    kept.page = await kept.open(url);
    await kept.context.setOffline(true);
    await kept.page.evaluate(() => headrace.track('second'));
    await kept.page.close();
    await kept.context.setOffline(false);
    if (!locks) await kept.context.clock.fastForward(60000);
    const page = await kept.open(url);
    await page.evaluate(() => headrace.track('third'));
    """
    await shop.run(code, url=shop.page(pages="false"), locks=locks)
    assert [event["type"] for event in await shop.stored(2)] == ["second", "third"]
    assert len({event["session"] for event in await shop.stored(2)}) == 1


@pytest.mark.parametrize("locks", [True, False])
async def test_several_tabs_send_each_event_once(shop: Shop, locks: bool) -> None:
    code = """
    if (!locks) await kept.context.addInitScript(() => delete Navigator.prototype.locks);
    const tabs = [await kept.open(url), await kept.open(url), await kept.open(url)];
    await kept.context.setOffline(true);
    for (let n = 0; n < 12; n++) await tabs[n % 3].evaluate((n) => headrace.track('event', {n}), n);
    await kept.context.setOffline(false);
    """
    await shop.run(code, url=shop.page(pages="false"), locks=locks)
    assert sorted(event["properties"]["n"] for event in await shop.stored(12)) == [*range(12)]
    assert sum(len(request.marks) for request in shop.proxy.requests) == 12


async def test_an_event_that_is_refused_is_dropped_with_a_line_in_the_console(shop: Shop) -> None:
    code = """
    kept.page = await kept.open(url);
    await kept.page.evaluate(() => headrace.track('x'.repeat(201)));
    const sent = (name) => !Object.keys(localStorage).some((key) => key.includes(name + ':'));
    await kept.page.waitForFunction(sent, source);
    return kept.lines;
    """
    lines = await shop.run(code, url=shop.page(pages="false"), source=shop.source)
    assert any("the server refused events: 422" in line for line in lines), lines
    assert len(shop.proxy.requests) == 1


async def test_a_device_whose_storage_is_full_sends_all_the_same(shop: Shop) -> None:
    code = """
    kept.page = await kept.open(url);
    await kept.page.evaluate(() => {
      try { for (let n = 0, text = 'x'.repeat(100000); ; n++) localStorage['fill' + n] = text; } catch {}
      try { for (let n = 0; ; n++) localStorage['f' + n] = 'x'; } catch {}
      headrace.track('full');
    });
    """
    await shop.run(code, url=shop.page(pages="false"))
    assert [event["type"] for event in await shop.stored(1)] == ["full"]

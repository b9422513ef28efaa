"""Nothing is stored on a device whose visitor has not agreed, and nothing names them; strict pages load the tracker."""

from api.tracker import current_script
from tests.tracker.conftest import Shop
from tests.tracker.site import Page

KEPT = "return await kept.page.evaluate(() => Object.keys(localStorage).filter((k) => k.startsWith('headrace')))"


async def test_events_wait_in_memory_until_the_visitor_decides(shop: Shop) -> None:
    await shop.run("kept.page = await kept.open(url)", url=shop.page(consent=""))
    await shop.run("await kept.page.evaluate(() => headrace.track('early')); await kept.later(5000)")
    assert not shop.proxy.requests
    assert await shop.run(KEPT) == []
    await shop.run("await kept.page.evaluate(() => headrace.consent('granted'))")
    events = await shop.stored(2)
    assert [event["type"] for event in events] == ["page-view", "early"]
    assert len({event["profile"] for event in events}) == 1
    assert await shop.run(KEPT) != []


async def test_a_visitor_who_refuses_sends_nothing_and_may_agree_later(shop: Shop) -> None:
    await shop.run("kept.page = await kept.open(url)", url=shop.page(consent=""))
    refuse = "await kept.page.evaluate(() => { headrace.consent('denied'); headrace.track('refused'); })"
    await shop.run(f"{refuse}; await kept.later(5000)")
    assert not shop.proxy.requests
    assert await shop.run(KEPT) == []
    await shop.run("await kept.page.evaluate(() => { headrace.consent('granted'); headrace.track('agreed'); })")
    assert [event["type"] for event in await shop.stored(1)] == ["agreed"]


async def test_a_visitor_who_withdraws_is_forgotten_by_the_device(shop: Shop) -> None:
    await shop.run("kept.page = await kept.open(url)", url=shop.page())
    await shop.stored(1)
    assert await shop.run(KEPT) != []
    await shop.run("await kept.page.evaluate(() => { headrace.consent('denied'); headrace.track('refused'); })")
    assert await shop.run(KEPT) == []


async def test_what_a_visitor_decides_in_one_tab_holds_in_all(shop: Shop) -> None:
    url = shop.page(consent="", pages="false")
    await shop.run("kept.tabs = [await kept.open(url), await kept.open(url)]", url=url)
    call = "await kept.tabs[tab].evaluate(([name, value]) => headrace(name, value), call)"
    await shop.run(call, tab=1, call=["track", "held"])
    await shop.run(call, tab=0, call=["track", "early"])
    await shop.run(call, tab=0, call=["consent", "granted"])
    events = await shop.stored(2)
    assert len({event["profile"] for event in events}) == 1
    await shop.run(call, tab=0, call=["consent", "denied"])
    await shop.run(call, tab=1, call=["track", "refused"])
    await shop.later(5)
    assert await shop.run(KEPT.replace("kept.page", "kept.tabs[1]")) == []
    assert len(shop.proxy.sent) == 2


async def test_a_page_may_send_without_ids_before_the_visitor_decides(shop: Shop) -> None:
    url = shop.page(consent="", before_consent="anonymous")
    await shop.run("kept.page = await kept.open(url)", url=url)
    (view,) = await shop.stored(1)
    assert view.get("profile") is None
    assert await shop.run(KEPT) == []


async def test_a_page_with_a_strict_policy_loads_it_by_its_hash(shop: Shop) -> None:
    script = current_script()
    policy = f"default-src 'none'; script-src {shop.server.address}; connect-src {shop.proxy.url}"
    url = shop.page(policy=policy)
    body = shop.site.page(url).body.replace("/tracker.js", script.path)
    attributes = f'<script integrity="{script.integrity}" crossorigin="anonymous" '
    url = shop.site.put(url.removeprefix(shop.site.origin), Page(body.replace("<script ", attributes), policy))
    await shop.run("kept.page = await kept.open(url)", url=url)
    assert [event["type"] for event in await shop.stored(1)] == ["page-view"]
    assert await shop.run("return kept.lines") == []


async def test_a_browser_does_not_run_a_script_of_another_hash(shop: Shop) -> None:
    url = shop.page()
    wrong = '<script integrity="sha384-AAAA" crossorigin="anonymous" '
    url = shop.site.put("/wrong", Page(shop.site.page(url).body.replace("<script ", wrong)))
    await shop.run("kept.page = await kept.context.newPage(); await kept.page.goto(url)", url=url)
    assert await shop.run("return await kept.page.evaluate(() => typeof headrace)") == "undefined"

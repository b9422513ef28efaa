"""The console in a real browser: an operator's way from the front page to a run that was done again."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page, expect

from tests.clients.installation import packages
from tests.console.conftest import MENDED, send_to, shop_in
from tests.system.server_process import ServerProcess, serving

HOSTILE = "<img src=x onerror=alert(1)>\u202e'\"&lt;"
PICTURES = os.environ.get("HEADRACE_PICTURES")  # a folder for the pictures of the documentation
PAGES = (
    *("", "/runs", "/problems", "/events", "/profiles", "/flows", "/flows/tier", "/segments", "/deliveries"),
    *("/rejected", "/tasks", "/schemas", "/health", "/users", "/audit", "/account"),
)


async def picture(page: Page, name: str) -> None:
    """Write a picture of the page, if the pictures of the documentation are wanted."""
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/console-{name}.png", full_page=True)


async def test_a_failed_look_up_is_found_by_clicks_mended_replayed_and_seen_finished(
    page: Page, context: BrowserContext, server: ServerProcess, tmp_path: Path
) -> None:
    await asyncio.to_thread(send_to, server, {"type": "ordered", "properties": {"total": 610}})
    row = page.locator("#feed li", has_text="ordered")
    await expect(row).to_contain_text("crm:failed")  # it came by the stream: the page was open before
    await picture(page, "live")
    await row.get_by_role("link", name="tier").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("tier failed at crm: ")
    await expect(page.locator(".say.bad")).to_contain_text("Its port failed leads nowhere")
    await expect(page.locator("a.g-n.bad")).to_contain_text("crm")
    await picture(page, "run")
    address = page.url.removeprefix(server.address)

    server.stop()
    shop_in(tmp_path / "shop", MENDED)
    with serving(tmp_path / "shop", tmp_path / "store.db") as mended:
        await page.goto(f"{mended.address}{address}")  # the login is still good
        await expect(page.get_by_text("The flow has changed since")).to_be_visible()
        await page.get_by_role("link", name="Replay on the current version").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(
            "On the current version, 1 of 1 run would finish"
        )
        await expect(page.get_by_role("region", name="The difference of the run")).to_contain_text("later:done")
        await picture(page, "replay")
        await page.get_by_role("button", name="Do 1 run again").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("1 run done again, 1 finished")
        await page.get_by_role("row", name="finished").get_by_role("link").last.click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("tier finished, though crm failed")
        await page.get_by_role("link", name="a failed run").click()
        await expect(page.get_by_text("This run was done again.")).to_be_visible()
        await page.goto("about:blank")


async def test_hostile_text_is_text_on_every_page_and_axe_finds_nothing(page: Page, server: ServerProcess) -> None:
    def sent() -> dict[str, Any]:
        hostile = {"type": f"ordered{HOSTILE}", "properties": {"total": HOSTILE, HOSTILE: HOSTILE}}
        for n in range(3):
            send_to(server, hostile, {"type": "ordered", "properties": {"total": HOSTILE}}, session=f"s-{n}")
        wrong = {"type": 7, "properties": {HOSTILE: HOSTILE}}
        agent = {"user_agent": HOSTILE}
        return send_to(server, wrong, {"type": "ordered", "context": agent, "properties": {"total": 5}}, session="s-0")

    answer = await asyncio.to_thread(sent)
    axe = (packages() / "axe-core" / "axe.min.js").read_text()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    links = [f"/profiles/{answer['profile']['id']}"]
    await page.goto(f"{server.address}/console/runs")
    for kind in ("runs", "events"):
        await page.goto(f"{server.address}/console/{kind}")
        href = await page.locator("tbody[data-rows] a.go").first.get_attribute("href")
        assert href is not None
        links.append(href.removeprefix("/console"))
    found: dict[str, Any] = {}
    for path in (*PAGES, *links):
        for width, scheme in ((1360, "light"), (390, "dark")):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            response = await page.goto(f"{server.address}/console{path}")
            assert response is not None
            assert response.status == 200, path
            assert await page.locator("img").count() == 0, path
            await page.evaluate(axe)
            result = await page.evaluate("axe.run()")
            assert result["passes"], path
            if result["violations"]:
                found[f"{path} {width}"] = [(v["id"], v["nodes"][0]["html"][:200]) for v in result["violations"]]
            wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not wide, f"{path} scrolls sideways at {width}"
    assert found == {}
    assert dialogs == []


async def test_pages_work_by_keyboard(page: Page, server: ServerProcess) -> None:
    for n in range(3):
        await asyncio.to_thread(send_to, server, {"type": "ordered", "properties": {"total": n}}, session=f"s-{n}")
    await page.goto(f"{server.address}/console")
    await page.keyboard.press("g")
    await page.keyboard.press("r")
    await page.wait_for_url(re.compile(r"/console/runs$"))
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await expect(page.locator("tbody[data-rows] tr[aria-current]")).to_have_count(1)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/console/runs/\w+"))
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator(".steps > li.sel")).to_have_id("step-2")
    assert "step=2" in page.url
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.locator("[data-key='/']")).to_be_focused()


async def test_pages_work_without_script(page: Page, context: BrowserContext, server: ServerProcess) -> None:
    await asyncio.to_thread(send_to, server, {"type": "ordered", "properties": {"total": 1}})
    assert context.browser is not None
    state = await context.storage_state()
    plain = await context.browser.new_context(java_script_enabled=False, storage_state=state)
    still = await plain.new_page()
    await still.goto(f"{server.address}/console")
    await expect(still.locator("#feed li", has_text="ordered")).to_contain_text("crm:failed")
    await still.get_by_role("link", name="Runs").click()
    await still.get_by_label("Query over runs").fill("outcome:failed")
    await still.get_by_role("button", name="Search").click()
    await expect(still.locator("tbody[data-rows] tr")).to_have_count(1)
    await plain.close()

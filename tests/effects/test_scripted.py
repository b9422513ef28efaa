import asyncio

from effects.scripted import ScriptedPerformer
from engine.flow.ask import HttpAsk, HttpReply, NoAnswer
from engine.ports.world import Performer

GOLD = HttpReply(200, {"tier": "gold"})
NOBODY = HttpReply(404)


async def test_an_ask_gets_what_was_scripted_for_its_target_and_path() -> None:
    performer: Performer = ScriptedPerformer().on("crm", "/customers/*", GOLD).on("crm", "/orders", NOBODY)
    assert await performer.perform(HttpAsk("crm", path="/customers/7")) == GOLD
    assert await performer.perform(HttpAsk("crm", path="/orders")) == NOBODY


async def test_replies_come_in_turn_and_the_last_one_stays() -> None:
    performer = ScriptedPerformer().on("crm", "*", NoAnswer("connection", "down"), GOLD)
    replies = [await performer.perform(HttpAsk("crm")) for _ in range(3)]
    assert replies == [NoAnswer("connection", "down"), GOLD, GOLD]


async def test_the_latest_script_that_fits_counts() -> None:
    performer = ScriptedPerformer().on("crm", "*", NOBODY).on("crm", "/customers/7", GOLD)
    assert await performer.perform(HttpAsk("crm", path="/customers/7")) == GOLD
    assert await performer.perform(HttpAsk("crm", path="/customers/8")) == NOBODY


async def test_a_script_may_be_for_one_method() -> None:
    performer = ScriptedPerformer().on("crm", "*", NOBODY).on("crm", "*", GOLD, method="post")
    assert await performer.perform(HttpAsk("crm", method="POST")) == GOLD
    assert await performer.perform(HttpAsk("crm")) == NOBODY


async def test_without_a_reply_the_answer_is_an_empty_200() -> None:
    assert await ScriptedPerformer().on("crm").perform(HttpAsk("crm")) == HttpReply(200)


async def test_what_nobody_scripted_is_refused_by_name() -> None:
    reply = await ScriptedPerformer().perform(HttpAsk("crm", path="/customers/7"))
    assert reply == NoAnswer("refused", "nothing is scripted for GET crm /customers/7", retriable=False)


async def test_every_ask_is_written_down() -> None:
    performer = ScriptedPerformer().on("crm")
    asks = [HttpAsk("crm", path="/a"), HttpAsk("erp", path="/b")]
    for ask in asks:
        await performer.perform(ask)
    assert performer.asked == asks


async def test_a_reply_waits_for_its_event() -> None:
    gate = asyncio.Event()
    waiting = asyncio.create_task(ScriptedPerformer().on("crm", "*", GOLD, after=gate).perform(HttpAsk("crm")))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    assert await waiting == GOLD


async def test_an_event_that_never_comes_is_a_timeout() -> None:
    performer = ScriptedPerformer().on("crm", "*", GOLD, after=asyncio.Event())
    reply = await performer.perform(HttpAsk("crm", timeout_ms=1))
    assert isinstance(reply, NoAnswer)
    assert reply.kind == "timeout"

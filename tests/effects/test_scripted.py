import asyncio

from effects.scripted import ScriptedPerformer
from engine.flow.ask import HttpAsk, HttpReply, NoAnswer
from tests.effects.calls import call, call_of

GOLD = HttpReply(200, {"tier": "gold"})
NOT_FOUND = HttpReply(404)


async def test_a_call_gets_the_reply_scripted_for_its_target_and_path() -> None:
    performer = ScriptedPerformer().on("crm", "/customers/*", GOLD).on("crm", "/orders", NOT_FOUND)
    assert await performer.perform(call("crm", path="/customers/7")) == GOLD
    assert await performer.perform(call("crm", path="/orders")) == NOT_FOUND


async def test_replies_are_returned_in_turn_and_then_the_last_one_every_time() -> None:
    performer = ScriptedPerformer().on("crm", "*", NoAnswer("connection", "down"), GOLD)
    replies = [await performer.perform(call("crm")) for _ in range(3)]
    assert replies == [NoAnswer("connection", "down"), GOLD, GOLD]


async def test_of_several_scripts_that_match_the_last_added_answers() -> None:
    performer = ScriptedPerformer().on("crm", "*", NOT_FOUND).on("crm", "/customers/7", GOLD)
    assert await performer.perform(call("crm", path="/customers/7")) == GOLD
    assert await performer.perform(call("crm", path="/customers/8")) == NOT_FOUND


async def test_a_script_can_match_one_method() -> None:
    performer = ScriptedPerformer().on("crm", "*", NOT_FOUND).on("crm", "*", GOLD, method="post")
    assert await performer.perform(call("crm", method="POST")) == GOLD
    assert await performer.perform(call("crm")) == NOT_FOUND


async def test_a_script_can_match_the_node_that_asks() -> None:
    performer = ScriptedPerformer().on("crm", "*", NOT_FOUND).on("crm", "*", GOLD, flow="order", node="tier")
    assert await performer.perform(call_of("order", "tier", HttpAsk("crm"))) == GOLD
    assert await performer.perform(call_of("order", "other", HttpAsk("crm"))) == NOT_FOUND
    assert await performer.perform(call_of("other", "tier", HttpAsk("crm"))) == NOT_FOUND


async def test_a_script_without_replies_answers_an_empty_200() -> None:
    assert await ScriptedPerformer().on("crm").perform(call("crm")) == HttpReply(200)


async def test_a_call_that_no_script_matches_is_refused_by_name() -> None:
    reply = await ScriptedPerformer().perform(call("crm", path="/customers/7"))
    assert reply == NoAnswer("refused", "nothing is scripted for GET crm /customers/7", retriable=False)


async def test_every_call_is_recorded() -> None:
    performer = ScriptedPerformer().on("crm")
    calls = [call("crm", path="/a"), call("erp", path="/b")]
    for one in calls:
        await performer.perform(one)
    assert performer.calls == calls


async def test_a_reply_waits_for_its_event() -> None:
    gate = asyncio.Event()
    waiting = asyncio.create_task(ScriptedPerformer().on("crm", "*", GOLD, after=gate).perform(call("crm")))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    assert await waiting == GOLD

"""Scripts run in a process of their own, with Rakam's bindings; whatever one does costs one call."""

import asyncio
import hmac
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from effects.javascript.runner import MAX_WAITING, JavaScriptRunner
from engine.ports.script import ScriptFailed, ScriptLine, ScriptRequest, ScriptTimedOut
from engine.project.script import Script
from tests.effects.javascript.worlds import MemoryWorld

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def runner() -> AsyncIterator[JavaScriptRunner]:
    runner = JavaScriptRunner(most_processes=2)
    yield runner
    await runner.close()


def script(text: str, file: str = "scripts/s.js") -> Script:
    return Script(file=file, text=text)


async def call(runner: JavaScriptRunner, text: str, *arguments: Any, limit_ms: int = 5_000) -> Any:
    return (await runner.run(script(text), "main", arguments, MemoryWorld(), limit_ms)).value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("function main(a) { return a.x + 1 }", 2),
        ("const main = (a) => [a, null, 'ü']", [{"x": 1}, None, "ü"]),
        ("async function main(a) { return await a.x }", 1),
        ("function main() {}", None),
        ("function main() { return {a: undefined, b: () => 1, c: NaN} }", {"c": None}),
        ("function main() { return util.crypt.sha1('ü') }", "94a759fd37735430753c7b6b80684306d80ea16e"),
        (
            "function main() { return util.crypt.encryptToHex('ü', 'key', 'HmacSHA256') }",
            hmac.new(b"key", "ü".encode(), "sha256").hexdigest(),
        ),
        ("function main() { return util.base64.encode('ü') }", "w7w="),
        (
            "function main() { return util.request.parseFormData('a=1&a=2&b=%C3%BC+x&__proto__=3') }",
            {"a": ["1", "2"], "b": ["ü x"], "__proto__": ["3"]},
        ),
        ("JSON.stringify = () => 'x'; Promise.prototype.then = 1; function main() { return {a: 1} }", {"a": 1}),
        (
            "function main() { return [typeof std, typeof os, typeof require, typeof process, typeof _headrace] }",
            ["undefined"] * 5,
        ),
    ],
)
async def test_a_call_returns_plain_data(runner: JavaScriptRunner, text: str, value: Any) -> None:
    assert await call(runner, text, {"x": 1}) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "\nfunction main(a) {\n  return a.b.c }",
            "line 3, column 10: TypeError: cannot read property 'c' of undefined",
        ),
        ("let x = ;", "line 1, column 9: SyntaxError: unexpected token in expression: ';'"),
        ("function module() {}", "There must be a function called 'main'."),
        ("function main() { throw new Error('no') }", "line 1, column 29: no"),
        ("function main() { throw 'a text' }", "a text"),
        ("async function main() { throw new Error('no') }", "line 1, column 35: no"),
        ("function main() { return 10n }", "TypeError: BigInt are forbidden in JSON.stringify"),
        (
            "function main() { return new Promise(() => {}) }",
            "the promise that the script has returned is never settled",
        ),
        ("function main() { return 'x'.repeat(1 << 21) }", "the result has more than 1048576 characters as JSON"),
        ("function main() { return main() + 1 }", "line 1, column 25: RangeError: Maximum call stack size exceeded"),
        ("function main() { http.get('https://a/nowhere').send() }", "no target has this address"),
        (
            "function main() { eventStore.store({}) }",
            "eventStore.store takes a list of objects {collection, properties}",
        ),
        (
            "function main() { return new Proxy({}, {ownKeys() { throw new Error('trap') }}) }",
            "line 1, column 63: trap",
        ),
    ],
)
async def test_a_call_that_fails_says_where_and_why(runner: JavaScriptRunner, text: str, reason: str) -> None:
    with pytest.raises(ScriptFailed) as raised:
        await call(runner, text, {})
    assert raised.value.reason == f"scripts/s.js: {reason}"
    assert await call(runner, "function main() { return 1 }") == 1


@pytest.mark.parametrize(
    "body",
    [
        "const a = []; for (;;) a.push(new Array(1000).fill(1))",
        "return new Uint8Array(1 << 30)",
        "return 'x'.repeat(1e9)",
    ],
)
async def test_a_call_that_takes_too_much_memory_fails(runner: JavaScriptRunner, body: str) -> None:
    with pytest.raises(ScriptFailed, match="memory"):
        await call(runner, f"function main() {{ {body} }}")
    assert await call(runner, "function main() { return 1 }") == 1


@pytest.mark.parametrize(
    "body",
    [
        "for (;;);",
        "return /^(a+)+$/.test('a'.repeat(50) + 'b')",
        "return new Promise(function again(done) { Promise.resolve().then(() => again(done)) })",
        "for (;;) logger.info('x'.repeat(5000))",
        "for (;;) { try { main.call(null) } catch (error) { } }",
        "for (;;) util.crypt.sha1('x'.repeat(1000000))",
    ],
)
async def test_a_call_without_an_end_is_killed_at_its_limit(runner: JavaScriptRunner, body: str) -> None:
    with pytest.raises(ScriptTimedOut) as raised:
        await call(runner, f"function main() {{ {body} }}", limit_ms=300)
    assert raised.value.reason == "scripts/s.js took longer than 300 ms"
    assert len(raised.value.log) <= 101
    assert await call(runner, "function main() { return 1 }") == 1


async def test_the_bindings_reach_the_world_of_the_call(runner: JavaScriptRunner) -> None:
    world = MemoryWorld()
    text = """function main(params) {
        config.setOnce('cursor', 1); config.setOnce('cursor', 2); config.set('list', [config.get('cursor')]);
        const answer = http.post('https://a/b').header('X-A', 'b').query('q', 'ü &').form('f', '1 2').send();
        eventStore.store([{collection: 'order', properties: {total: 9.5}}]);
        logger.warn('answered', {status: answer.getStatusCode()});
        return answer.getResponseBody();
    }"""
    result = await runner.run(script(text), "main", [{}], world, 5_000)
    assert world.values == {"cursor": 1, "list": [1]}
    assert world.events == [{"collection": "order", "properties": {"total": 9.5}}]
    headers = {"X-A": "b", "Content-Type": "application/x-www-form-urlencoded"}
    address = "https://a/b?q=%C3%BC%20%26"
    assert world.requests == [ScriptRequest(method="POST", url=address, headers=headers, body="f=1%202")]
    assert result.value == address
    assert result.log == (ScriptLine("warn", 'answered {"status":200}'),)


async def test_a_script_may_catch_a_request_that_fails(runner: JavaScriptRunner) -> None:
    text = "function main() { try { http.get('https://a/nowhere').send() } catch (error) { return error.message } }"
    assert await call(runner, text) == "no target has this address"


async def test_nothing_of_a_call_is_left_for_the_next(runner: JavaScriptRunner) -> None:
    text = """function main() {
        const seen = [typeof globalThis.mark, typeof [].mark];
        mark = Array.prototype.mark = 1;
        return seen;
    }"""
    assert [await call(runner, text), await call(runner, text)] == [["undefined", "undefined"]] * 2


async def test_a_process_that_is_killed_costs_the_call_under_way(runner: JavaScriptRunner) -> None:
    text = "function main(wait) { if (wait) config.get('begun'); for (; wait;); return 1 }"
    world = MemoryWorld()
    calling = asyncio.create_task(runner.run(script(text), "main", [True], world, 20_000))
    waiting = asyncio.create_task(runner.run(script(text), "main", [False], MemoryWorld(), 20_000))
    await asyncio.wait_for(world.asked.wait(), 10)
    (queue,) = runner._scripts.values()
    assert queue.process is not None
    queue.process.kill()
    with pytest.raises(ScriptFailed, match="ended in the middle of a call"):
        await calling
    assert (await waiting).value == 1


async def test_a_caller_that_is_cancelled_leaves_no_call_under_way(runner: JavaScriptRunner) -> None:
    text = "function main(wait) { for (; wait;); return 1 }"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await runner.run(script(text), "main", [True], MemoryWorld(), 20_000)
    assert (await runner.run(script(text), "main", [False], MemoryWorld(), 5_000)).value == 1


async def test_a_script_that_hangs_does_not_hold_up_another(runner: JavaScriptRunner) -> None:
    hanging = asyncio.create_task(
        runner.run(script("function main() { for (;;); }", "a.js"), "main", [], MemoryWorld(), 20_000)
    )
    for number in range(5):
        other = script(f"function main() {{ return {number} }}", f"{number}.js")
        assert (await runner.run(other, "main", [], MemoryWorld(), 5_000)).value == number
    assert len(runner._scripts) <= 3
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging


async def test_more_calls_than_may_wait_fail_at_once(runner: JavaScriptRunner) -> None:
    text = "function main() { return 1 }"
    calls = [runner.run(script(text), "main", [], MemoryWorld(), 5_000) for _ in range(MAX_WAITING + 3)]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(end, ScriptFailed) for end in ends) == 3
    assert sum(not isinstance(end, BaseException) for end in ends) == MAX_WAITING


async def test_a_closed_runner_leaves_no_process(runner: JavaScriptRunner) -> None:
    await call(runner, "function main() {}")
    (queue,) = runner._scripts.values()
    process = queue.process
    await runner.close()
    assert process is not None
    assert process.returncode is not None


async def test_a_closed_runner_has_waited_for_the_processes_that_it_killed(runner: JavaScriptRunner) -> None:
    with pytest.raises(ScriptTimedOut):
        await call(runner, "function main() { for (;;); }", limit_ms=200)
    (ending,) = runner._ending
    await runner.close()
    assert ending.done()
    assert not runner._ending


async def test_no_script_process_outlives_a_server_that_is_killed() -> None:
    pipe = asyncio.subprocess.PIPE
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.effects.javascript.dying_server", stdout=pipe, cwd=ROOT
    )
    assert server.stdout is not None
    scripts = [int(pid) for pid in (await asyncio.wait_for(server.stdout.readline(), 20)).split()]
    assert len(scripts) == 2
    watched = [os.pidfd_open(pid) for pid in scripts]
    server.kill()
    await server.wait()
    for process in watched:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(process, ended.set)
        await asyncio.wait_for(ended.wait(), 10)
        asyncio.get_running_loop().remove_reader(process)
        os.close(process)

"""The script process, `python -m effects.javascript.child PARENT`. It runs calls one by one, each in a new context.

Its only way out is the pipe to the process that has started it. It has no other file, no environment, and 256 MiB of
address space; a context has 32 MiB of memory. It never looks at a clock: the process around kills it when a call takes
too long, since QuickJS cannot be interrupted while its functions may call into Python. When that process ends, this one
does: at the end of the pipe, and in the middle of a call by a signal, or where there is none, by its processor time.

Each message is a list. It reads `[text, function, arguments]`, writes `["log", level, text]` and `["ask", ...]`, reads
the reply to an ask, and ends a call by `["value", JSON]` or `["failed", reason]`.
"""

import base64
import ctypes
import hashlib
import hmac
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import unquote_plus

import msgspec
import quickjs

from effects.javascript.frames import BrokenFrame, frame_of, read_frame

ADDRESS_SPACE: Final = 256 << 20  # bytes
PROCESSOR_TIME: Final = 130  # seconds of one call, longer than the longest deadline
MEMORY: Final = 32 << 20  # bytes of a context
STACK: Final = 256 << 10  # bytes
MAX_RESULT: Final = 1 << 20  # characters
MAX_LINES: Final = 100  # that one call may log
MAX_LINE: Final = 1_000  # characters
DIGESTS: Final = {"sha1": "sha1", "sha256": "sha256"}
HMACS: Final = {"hmacmd5": "md5", "hmacsha1": "sha1", "hmacsha256": "sha256", "hmacsha512": "sha512"}

OURS: Final = 100_000  # lines before our own code, so that a place in it differs from one in a script
PRELUDE: Final = "\n" * OURS + (Path(__file__).parent / "prelude.js").read_text("utf-8")
# Calls the function, and waits for a promise. `settled` has the result as JSON, or the reason of the failure.
CALL: Final = (
    "\n" * OURS
    + """(function () {
  'use strict';
  const stringify = JSON.stringify, parse = JSON.parse, apply = Reflect.apply, then = Promise.prototype.then;
  const evaluate = eval;
  return function (name, given) {
    const settled = {};
    const done = (value) => { settled.value = stringify(value) ?? 'null'; };
    const failed = (error) => { settled.failed = error; settled.threw = true; };
    if (evaluate('typeof ' + name) !== 'function') throw new Error("There must be a function called '" + name + "'.");
    const result = evaluate(name)(...parse(given));
    if (result instanceof Promise) apply(then, apply(then, result, [done]), [undefined, failed]); else done(result);
    return () => {
      if (settled.threw) throw settled.failed;
      return settled.value;
    };
  };
})()"""
)

_PR_SET_PDEATHSIG: Final = 1
_PLACE = re.compile(r"<input>:(\d+):(\d+)")


class ScriptProcess:
    """Runs the calls that come by a pipe."""

    def __init__(self, reading: BinaryIO, writing: BinaryIO) -> None:
        self._reading, self._writing = reading, writing
        self._lines = 0

    def serve(self) -> None:
        """Run calls until the pipe is closed."""
        while True:
            try:
                text, function, arguments = read_frame(self._reading)
            except BrokenFrame:
                return
            self._lines = 0
            _limit_processor_time()
            self._write(self._result(text, function, arguments))

    def _result(self, text: str, function: str, arguments: Any) -> list[str]:
        """Return the message that ends a call."""
        try:
            value = self._call(self._context(), text, function, arguments)
        except quickjs.JSException as error:
            return ["failed", _reason(str(error))]
        except MemoryError:
            return ["failed", "the script took too much memory"]
        if value is None:
            return ["failed", "the promise that the script has returned is never settled"]
        if len(value) > MAX_RESULT:
            return ["failed", f"the result has more than {MAX_RESULT} characters as JSON"]
        return ["value", value]

    def _context(self) -> Any:
        context = quickjs.Context()
        context.set_memory_limit(MEMORY)
        context.set_max_stack_size(STACK)
        native = context.eval("({})")
        context.set("_headrace", native)
        for name, function in self._natives().items():
            context.add_callable(f"_{name}", function)
            context.eval(f"_headrace.{name} = _{name}; delete globalThis._{name};")
        context.eval(PRELUDE)(native)
        context.eval("delete globalThis._headrace")
        return context

    def _natives(self) -> dict[str, Callable[..., Any]]:
        return {
            "log": self._log,
            "ask": self._ask,
            "digest": lambda name, text: hashlib.new(DIGESTS[name], _bytes(text), usedforsecurity=False).hexdigest(),
            "hmac": _hmac,
            "base64": lambda text: base64.b64encode(_bytes(text)).decode(),
            "unquote": lambda text: unquote_plus(text, errors="replace"),
        }

    def _call(self, context: Any, text: str, function: str, arguments: Any) -> str | None:
        """Return the result of a call, as JSON. Raises `JSException`."""
        call = context.eval(CALL)
        context.eval(text)
        settled = call(function, msgspec.json.encode(arguments).decode())
        while context.execute_pending_job():
            pass
        result = settled()
        return result if isinstance(result, str) else None

    def _log(self, level: str, text: str) -> None:
        self._lines += 1
        if self._lines <= MAX_LINES:
            self._write(["log", level, text[:MAX_LINE]])
        elif self._lines == MAX_LINES + 1:
            self._write(["log", "warn", f"more than {MAX_LINES} lines: the others are left out"])

    def _ask(self, given: str) -> str:
        """Have the process around answer; returns its reply as JSON."""
        try:
            self._write(["ask", *msgspec.json.decode(given)])
        except BrokenFrame as error:
            return msgspec.json.encode({"failed": str(error)}).decode()
        return msgspec.json.encode(read_frame(self._reading)).decode()

    def _write(self, message: list[Any]) -> None:
        self._writing.write(frame_of(message))
        self._writing.flush()


def _hmac(algorithm: str, key: str, text: str) -> str:
    name = HMACS.get(algorithm.lower().replace("-", ""))
    if name is None:
        raise ValueError(algorithm)
    return hmac.new(_bytes(key), _bytes(text), name).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _reason(error: str) -> str:
    """Return the message of an exception, with the place in the script where it was thrown."""
    message, _, stack = error.partition("\n    at ")
    message = message.strip().removesuffix("\nundefined").removeprefix("Error: ")
    if message in ("", "null"):
        message = "it threw null, or its memory was full"
    places = [place for place in _PLACE.finditer(stack) if int(place[1]) < OURS]
    return (f"line {places[0][1]}, column {places[0][2]}: " if places else "") + message[:MAX_LINE]


def _confine() -> None:
    """Limit this process, for good."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))


def _limit_processor_time() -> None:
    """Have this process killed when the call that begins has used up its processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + PROCESSOR_TIME
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _end_with_parent(parent: int) -> None:
    """Have this process killed when the one that has started it ends (prctl(2), on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended before
            sys.exit(1)


def main() -> None:
    """Serve the pipe that standard input and output are."""
    reading, writing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    _confine()
    _end_with_parent(int(sys.argv[1]))
    try:
        ScriptProcess(reading, writing).serve()
    except (BrokenFrame, BrokenPipeError):
        sys.exit(1)


if __name__ == "__main__":
    main()

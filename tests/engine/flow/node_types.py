"""Node types for tests only."""

from typing import Annotated, Any

from msgspec import Meta

from engine.flow.ask import Ask, HttpAsk, HttpReply, NoAnswer, Reply
from engine.flow.effect import Emit, Stop
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole
from engine.language.kinds import ANYTHING
from engine.profile.operations import Set


class Way(Node, frozen=True, tag="test.way"):
    """Leave by a port named in the config."""

    by: Annotated[str, Sole(), Meta(description="The port")] = "done"

    output = ANYTHING

    done = Port("The default", main=True)
    left = Port("To the left")
    right = Port("To the right")

    def run(self, context: NodeContext) -> Outcome:
        """Leave."""
        return Outcome(self.by, {"by": self.by})


class Question(Node, frozen=True, tag="test.ask"):
    """Ask the target `crm`, and leave by the port that the response names."""

    path: Annotated[str, Sole(), Meta(description="The path")] = "/"

    output = ANYTHING

    done = Port("It answered", main=True)
    left = Port("To the left")
    right = Port("To the right")

    def ask(self, context: NodeContext) -> Ask:
        """Ask."""
        return HttpAsk("crm", path=self.path)

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Leave by the port that the response names."""
        if not isinstance(reply, HttpReply):
            return self.failed(reason=reply.reason if isinstance(reply, NoAnswer) else "an unexpected reply")
        return Outcome(reply.body or "done", {"by": reply.body or "done"})


class Pages(Node, frozen=True, tag="test.pages"):
    """Ask for page after page, until a response has no `next`."""

    first: Annotated[str, Sole(), Meta(description="The first page")] = "/1"

    output = ANYTHING

    done = Port("All pages are read", main=True)

    def ask(self, context: NodeContext) -> Ask:
        """Ask for the first page."""
        return HttpAsk("crm", path=self.first)

    def answer(self, context: NodeContext, reply: Reply) -> Outcome | Ask:
        """Ask for the next page."""
        if not isinstance(reply, HttpReply):
            return self.failed(reason="no answer")
        next_page = reply.body["next"]
        return HttpAsk("crm", path=next_page) if next_page else self.done({"last": reply.body})


class Broken(Node, frozen=True, tag="test.broken"):
    """Have a bug of the kind named in the config."""

    kind: Annotated[str, Sole(), Meta(description="The kind of bug")] = "raise"

    done = Port("Never", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Run into the bug."""
        outcomes: dict[str, Any] = {
            "port": Outcome("nowhere"),
            "nothing": None,
            "ask": HttpAsk("crm"),
            "out": self.done(object()),
            "root": self.done(effects=[Set(("id",), "p-other")]),
            "stop": self.done(effects=[Emit("child", {}), Stop(), Set(("id",), "p-other")]),
        }
        if self.kind not in outcomes:
            raise ZeroDivisionError("division by zero")
        outcome: Outcome = outcomes[self.kind]
        return outcome


class Burst(Node, frozen=True, tag="test.burst"):
    """Emit as many events as the config says."""

    count: Annotated[int, Sole(), Meta(description="The number of events")]

    done = Port("They are emitted", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Emit them."""
        return self.done(effects=[Emit("child", {})] * self.count)


class BrokenAnswer(Question, frozen=True, tag="test.broken-answer"):
    """Ask, and run into a bug at the reply."""

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Run into the bug."""
        raise KeyError("tier")


TYPES = (Way, Question, Pages, Broken, BrokenAnswer, Burst)

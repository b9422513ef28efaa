"""Node types: a node type is a frozen Struct. Its fields are the config, its ports are class attributes.

    class Increment(Node, frozen=True, tag="profile.increment"):
        '''Add a number to a field of the profile.'''

        values: Annotated[dict[str, float], Meta(description="..."), Sole(), Keys("traits", "pii")]

        done = Port("The profile has the new value", main=True)

        def run(self, context: NodeContext) -> Outcome:
            ...
            return self.done(effects=[...])

`run` is a pure function of the config and the context. A node that needs something from outside the run has `ask` and
`answer` in its place. Templates are evaluated before a node is made, so a field annotated `float` is a float in `run`.

A *field note* is an object in a field's `Annotated` that says how authors write the field.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, field

from engine.flow.ask import Ask, Reply
from engine.flow.effect import Effect
from engine.flow.run import Identify
from engine.language.kinds import NULL, Shape
from engine.problem import Problem
from engine.profile.declared import Fields
from engine.profile.document import Profile, Scalar
from engine.profile.key import DEFAULT_KEY_RULES, KeyRules
from engine.profile.linking import Pool


class Outcome(Struct, frozen=True):
    """The result of a node: its port, its effects, and the output that later nodes read as `nodes.<id>.out`."""

    port: str
    out: Any = None
    effects: tuple[Effect, ...] = ()
    reason: str = ""  # for people: why it left by `failed`, `missing`, ...


class Port:
    """An exit of a node. A plain `next: x` wires the main ports; leaving by an unwired `failure` port fails the run.

    Calling a port returns the outcome of leaving by it. `text` says when a node leaves by it, for the documentation.
    """

    __slots__ = ("failure", "main", "name", "text")

    def __init__(self, text: str, *, main: bool = False, failure: bool = False) -> None:
        self.text = text
        self.main = main
        self.failure = failure
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __call__(self, out: Any = None, effects: Sequence[Effect] = (), reason: str = "") -> Outcome:
        return Outcome(self.name, out, tuple(effects), reason)


class End(Port):
    """A port that ends the run: no edge may leave by it."""

    __slots__ = ()


class Sole:
    """Field note: this field takes the node's whole value (`if: <condition>`, `segment.add: vip`)."""


class Fixed:
    """Field note: the value has no templates, so it is known when the flow is loaded."""


class Verbatim:
    """Field note: the value is taken as it is written; `words` say so in the documentation."""

    def __init__(self, words: str) -> None:
        self.words = words


class Hidden:
    """Field note: traces leave the field out (headers, which may contain a secret)."""


class Sparse:
    """Field note: entries of the map whose value is absent are left out; at least one must be present.

    With `when`, a field and its value, that holds only where the author writes them, and all entries may be absent.
    """

    def __init__(self, when: tuple[str, str] | None = None) -> None:
        self.when = when


class Keys:
    """Field note: the map's keys (or the texts) are dotted paths whose first name is one of `roots`, if any is given.

    Templates are not allowed in them, so data never decides which path is written. `whole`: a root alone is a path,
    too.
    """

    def __init__(self, *roots: str, whole: bool = False) -> None:
        self.roots = roots
        self.whole = whole


class Counters(Keys):
    """Field note: the map's keys (or the texts) are names of counters, without templates."""


class Reference:
    """Field note: the value (or each item) is the name of a `segment`, `target` or `manual-segment` of the project.

    A node with a reference to a `manual-segment` changes the profile's membership in it. A `target` is an HTTP service;
    other kinds of targets are `signed-target` and `mail-target`. With `unless`, the name of a field and a kind, the
    value is also a name of that kind, unless the author writes that field.
    """

    def __init__(self, kind: str, unless: tuple[str, str] | None = None) -> None:
        self.kind = kind
        self.unless = unless


class NeedsProfile:
    """Field note: with this value of the field the node needs a profile: an error in a flow with `profile: none`."""

    def __init__(self, value: str) -> None:
        self.value = value


class InPlaceOf:
    """Field note: authors write either this field or the field `other`, not both.

    One of the two is required, unless the field `unless` is present.
    """

    def __init__(self, other: str, *, unless: str = "") -> None:
        self.other = other
        self.unless = unless


class ConsentNames:
    """Field note: the map's keys are names of consents, without templates; the node changes these consents."""


class PercentEncoded:
    """Field note: the values of templates in the text are percent-encoded; the literal text stays as written."""


class Escaped:
    """Field note: values of templates in the text go through `escape`; `words` say so in the documentation.

    Without `whole`, a template that is the whole value is taken as it is.
    """

    def __init__(self, words: str, escape: Callable[[str], str], *, whole: bool = True) -> None:
        self.words = words
        self.escape = escape
        self.whole = whole


class Checked:
    """Field note: `defect` returns why a text as written can never be used, and the remedy; or two empty texts."""

    def __init__(self, defect: Callable[[str], tuple[str, str]]) -> None:
        self.defect = defect


class Body:
    """Field note of a loop: the value is a map of nodes, which the loop runs in each of its turns."""


class PerTurn:
    """Field note of a loop: the value is evaluated at the end of each turn, in place of once for the node."""


class IsCondition:
    """Field note of `Condition`: the author writes a bare expression, the node sees True or False."""


class IsAwaited(IsCondition):
    """Field note of `AwaitedCondition`: a condition about an event that comes later, which it reads as `awaited`."""


class IsDuration:
    """Field note of `Duration`: the author writes `2s`, `500ms`, `10m`, `24h`, `7d`; the node sees milliseconds."""


NO_OUTPUT = Shape(NULL, {})  # of a node that only has effects, or only chooses a port

Condition = Annotated[bool, IsCondition()]
AwaitedCondition = Annotated[bool, IsAwaited()]
Duration = Annotated[int, IsDuration(), Fixed()]
LONGEST_WAIT_MS = 400 * 86_400_000  # of one node
Text = Annotated[str, Meta(description="Text; templates in {{ }} are filled in")]


class NodeContext(Struct, frozen=True):
    """The data that a node may use: plain values with the effects of its ancestors. Nodes never change them in place.

    `profile` is the view of the profile (`id`, `ids`, `traits`, `pii`, `consents`, `segments`, `metadata`) or None;
    `stored_profile` is the document that it is made from. `now` is the unit's time in ms.
    """

    event: Mapping[str, Any]
    session: Mapping[str, Any] | None
    profile: Mapping[str, Any] | None
    source: Mapping[str, Any]
    stored_profile: Profile | None
    now: int
    new_id: str  # an id for a profile that this node may create; unique to the node and the run
    rules: Fields | None = None  # the declared rules, for folding other profiles
    acting_id: str | None = None  # the profile's id under which the unit acts
    identify: Identify = "trust"  # what a key in the event proves
    keys: KeyRules = DEFAULT_KEY_RULES
    proven: Mapping[str, Scalar] = field(default_factory=dict)  # the sender's keys that a user token verifies, by path
    pool: Pool | None = None  # parts and links of all documents that the unit has joined or set apart, if it has any
    handed_over: bool = False  # the event was begun again by `session.hand_over`
    place: str = ""  # `FLOW.NODE`, for types that know their place
    task_state: Mapping[str, Any] | None = None  # of a scheduled flow: what earlier firings have kept
    timezone: str = "UTC"  # the project's


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parent of all node types. A subclass has a `tag` (its name), fields, ports, and `run` or `ask`/`answer`."""

    examples: ClassVar[tuple[str, ...]] = ()  # each is the YAML of a `nodes:` entry; documented, and run by tests
    uses_profile: ClassVar[bool] = False  # an error in a flow with `profile: none`
    uses_sender: ClassVar[bool] = False  # an error in a flow with a schedule, which no sender waits for
    uses_task: ClassVar[bool] = False  # an error in a flow that has no schedule, or one for a segment
    without_task: ClassVar[str] = ""  # the remedy for that error
    may_fail: ClassVar[bool] = False  # failing is normal operation: an unwired `failed` gets a warning
    makes_ids: ClassVar[bool] = False  # it uses `NodeContext.new_id`
    identifies: ClassVar[bool] = False  # it joins profiles; the trace of a run in which that fails is stored
    waits: ClassVar[bool] = False  # it asks a `WaitAsk`, so its flow says what a new event does `while_waiting`
    knows_place: ClassVar[bool] = False  # it uses `NodeContext.place`
    commutes: ClassVar[bool] = False  # parallel nodes of this type may write the same path
    output: ClassVar[Shape] = NO_OUTPUT  # what is known of the value that later nodes read as `nodes.<id>.out`

    failed = Port("A value is absent, a limit is exceeded, or no answer has come", failure=True)
    skipped = Port("Its `when` is false, a consent is missing, or it is disabled")

    @classmethod
    def own_ports(cls, config: Mapping[str, Any]) -> dict[str, Port]:
        """The ports that depend on the config, by name (a switch's cases). `config` is as written, not evaluated."""
        return {}

    @classmethod
    def own_output(cls, config: Any) -> Shape:
        """Return the known shape of the output of a node with this config, which is as written and may have errors."""
        return cls.output

    @classmethod
    def own_problems(cls, fields: Mapping[str, Any]) -> Iterable[Problem]:
        """The problems of fields that are right each by itself; `fields` are as written, not evaluated.

        The path of a problem begins with the name of its field.
        """
        return ()

    def run(self, context: NodeContext) -> Outcome:
        """The result of a node that needs nothing from outside the run."""
        raise TypeError(f"{type(self).__name__} has neither `run` nor `ask`")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """The node's first ask; or its outcome, when it turns out that it need not ask."""
        raise TypeError(f"{type(self).__name__} does not ask")

    def answer(self, context: NodeContext, reply: Reply) -> Outcome | Ask:
        """The outcome after `reply`, or the next ask (paging)."""
        raise TypeError(f"{type(self).__name__} does not ask")


def type_name(node: type[Node]) -> str:
    """The name of a node type in flows, e.g. `profile.increment`."""
    return str(node.__struct_config__.tag)


def asks(node: type[Node]) -> bool:
    """Whether nodes of this type have asks."""
    return node.ask is not Node.ask


@cache
def declared_ports(node: type[Node]) -> Mapping[str, Port]:
    """The ports of every node of this type by name, in order of declaration (`failed` and `skipped` last)."""
    ports: dict[str, Port] = {}
    for owner in (node, *node.__mro__[1:]):
        for name, value in vars(owner).items():
            if isinstance(value, Port):
                ports.setdefault(name, value)
    return MappingProxyType(ports)

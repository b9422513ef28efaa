"""What a node is: one frozen Struct whose fields are its config, whose ports are attributes, and one pure method.

    class Increment(Node, frozen=True, tag="profile.increment"):
        '''Add a number to a field of the profile.'''

        values: Annotated[dict[str, float], Meta(description="..."), Sole(), Keys("traits", "pii")]

        done = Port("The profile has the new value", main=True)

        def run(self, seen: Seen) -> Outcome:
            ...
            return self.done(effects=[...])

A node that needs the world has `ask` and `answer` in place of `run`. Nodes hold config only; templates have been
evaluated before a node sees them, so a field annotated `float` is a float when `run` is called.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, field

from engine.flow.ask import Ask, Reply
from engine.flow.effect import Effect
from engine.flow.run import Identify
from engine.profile.declared import Fields
from engine.profile.document import Profile, Scalar
from engine.profile.key import DEFAULT_KEY_RULES, KeyRules


class Outcome(Struct, frozen=True):
    """What came of a node: the port it leaves by, what later nodes read as `nodes.<id>.out`, and its effects."""

    port: str
    out: Any = None
    effects: tuple[Effect, ...] = ()
    reason: str = ""  # for people: why it left by `failed`, `missing`, ...


class Port:
    """A way out of a node. A plain `next: x` wires the main ports; an unwired `failure` port ends the run as failed."""

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
    """A way out of a node behind which the run is over: no edge leaves by it."""

    __slots__ = ()


class Sole:
    """Field note: this field takes the node's whole value (`if: <condition>`, `segment.add: vip`)."""


class Fixed:
    """Field note: no templates here; the value is known when the flow is loaded."""


class Hidden:
    """Field note: the field never stands in a trace (headers, which may carry a key)."""


class Sparse:
    """Field note: entries of the map whose value is absent are left out; at least one has to be there."""


class Keys:
    """Field note: the map's keys (or the texts) are dotted paths whose first name is one of `roots`, if any is given.

    They are written out, never computed: data does not decide what is written.
    """

    def __init__(self, *roots: str) -> None:
        self.roots = roots


class Counters(Keys):
    """Field note: the map's keys (or the texts) name counters. They are written out, never computed."""


class Reference:
    """Field note: the value (or each item) names something of the project: `segment`, `target`, `manual-segment`.

    A node that names a `manual-segment` changes the profile's membership in it.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind


class InPlaceOf:
    """Field note: this field stands in place of `other`, so not both are given.

    One of the two is needed, unless the field `unless` is given.
    """

    def __init__(self, other: str, *, unless: str = "") -> None:
        self.other = other
        self.unless = unless


class ConsentNames:
    """Field note: the map's keys name consents, which the node changes. They are written out, never computed."""


class PercentEncoded:
    """Field note: a template whose evaluated parts are percent-encoded; the literal text stays as written."""


class IsCondition:
    """Field note of `Condition`: the author writes a bare expression, the node sees True or False."""


class IsDuration:
    """Field note of `Duration`: the author writes `2s`, `500ms`, `10m`, `24h`, `7d`; the node sees milliseconds."""


Condition = Annotated[bool, IsCondition()]
Duration = Annotated[int, IsDuration(), Fixed()]
Text = Annotated[str, Meta(description="Text; templates in {{ }} are filled in")]


class NodeContext(Struct, frozen=True):
    """What a node sees of the world: plain data with the effects of its ancestors, never to be changed in place.

    `profile` is the shown profile (`id`, `ids`, `traits`, `pii`, `consents`, `segments`, `metadata`) or None;
    `stored_profile` the one in the store that it is folded from. `now` is the unit's time in ms.
    """

    event: Mapping[str, Any]
    session: Mapping[str, Any] | None
    profile: Mapping[str, Any] | None
    source: Mapping[str, Any]
    stored_profile: Profile | None
    now: int
    new_id: str  # an id that is this node's own in this run, for what it may create
    rules: Fields | None = None  # the declared rules by which other profiles are to be folded
    acting_id: str | None = None  # the id under which the unit acts: one of the profile's
    identify: Identify = "trust"  # what a key in the event proves
    keys: KeyRules = DEFAULT_KEY_RULES
    proven: Mapping[str, Scalar] = field(default_factory=dict)  # keys of the sender that a token has proven, by path


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parent of all node types: a subclass gives a `tag` (its name), fields, ports and `run` or `ask`/`answer`."""

    examples: ClassVar[tuple[str, ...]] = ()  # YAML of a `nodes:` entry each; documentation, and run by tests
    uses_profile: ClassVar[bool] = False  # an error in a flow with `profile: none`
    may_fail: ClassVar[bool] = False  # failing is to be expected: an unwired `failed` is worth a warning
    makes_ids: ClassVar[bool] = False  # it wants `NodeContext.new_id`
    identifies: ClassVar[bool] = False  # it joins profiles: a run in which it could not is kept
    commutes: ClassVar[bool] = False  # two of them side by side may write the same path

    failed = Port("An absent value, a limit, or no answer from the world", failure=True)
    skipped = Port("Its `when` was false, a consent was missing, or it is disabled")

    @classmethod
    def own_ports(cls, config: Mapping[str, Any]) -> dict[str, Port]:
        """Ports that depend on the config (a switch's cases). `config` is as written, not evaluated."""
        return {}

    def run(self, seen: NodeContext) -> Outcome:
        """What this node does, for nodes that need nothing from the world."""
        raise TypeError(f"{type(self).__name__} has neither `run` nor `ask`")

    def ask(self, seen: NodeContext) -> Ask | Outcome:
        """What this node needs from the world; or an outcome, when it turns out to need nothing."""
        raise TypeError(f"{type(self).__name__} does not ask")

    def answer(self, seen: NodeContext, reply: Reply) -> Outcome | Ask:
        """What the reply means; may ask again (paging)."""
        raise TypeError(f"{type(self).__name__} does not ask")


def type_name(node: type[Node]) -> str:
    """The name by which authors call a node type, e.g. `profile.increment`."""
    return str(node.__struct_config__.tag)


def asks(node: type[Node]) -> bool:
    """Whether nodes of this type need something from the world."""
    return node.ask is not Node.ask


def declared_ports(node: type[Node]) -> dict[str, Port]:
    """The ports that every node of this type has, by name, in order of declaration (`failed`, `skipped` last)."""
    found: dict[str, Port] = {}
    for owner in (node, *node.__mro__[1:]):
        for name, value in vars(owner).items():
            if isinstance(value, Port):
                found.setdefault(name, value)
    return found

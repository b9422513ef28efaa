"""A project: all files of its authors, read and compiled, as one value that is replaced as a whole."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.structs import force_setattr

from engine.flow.outbox_room import OutboxRoom
from engine.flow.plan import Flow
from engine.profile.declared import Fields
from engine.profile.key import DEFAULT_KEY_RULES, KeyRules
from engine.project.geo import Geo
from engine.project.import_mapping import ImportMapping
from engine.project.retention import Retention
from engine.project.script_task import ScriptTask
from engine.project.secret import Secret
from engine.project.segment import Segment, SegmentRules
from engine.project.source import Source, Target
from engine.project.webhook import Webhook
from engine.schema.schema import Schema

UTC: Final = "UTC"
WEEK_MS: Final = 604_800_000
OLDEST_MS: Final = 400 * 86_400_000
MAX_OPEN: Final = 1_000_000

# The default share of the runs of each outcome that are kept. Debugged runs are always kept.
DEFAULT_SHARES: Final[Mapping[str, float]] = {
    "finished": 0.01,
    "filtered": 0.01,
    "failed": 1.0,
    "timed-out": 1.0,
    "paused": 1.0,
    "cancelled": 1.0,
}


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of `headrace.yaml`, without its targets."""

    store: str | None = None
    fields: Fields = field(default_factory=dict)  # declared rules; other paths show their newest value
    keys: KeyRules = DEFAULT_KEY_RULES
    shares: Mapping[str, float] = field(default_factory=dict)
    timezone: str = UTC  # an IANA name: the zone of days and times for which an author names none
    window_ms: int = WEEK_MS  # the deduplication window of event ids
    oldest_ms: int = OLDEST_MS  # the age from which on an event is late
    retention: Retention = Retention()
    outbox: OutboxRoom = OutboxRoom()  # of each unit
    most_open: int = MAX_OPEN  # deliveries that may wait for a target
    hash_keys: Mapping[str, Secret] = field(default_factory=dict)  # of the filter `hmac`, by name
    public_url: str = ""  # the address of this server as others know it
    geo: Geo | None = None  # the database of places, if there is one
    spool: bool = False  # whether payloads are spooled on this machine while the store is unavailable
    spool_dir: str | None = None

    def keep(self, outcome: str) -> float:
        """Return the share (0 to 1) of runs with this outcome that are kept."""
        return self.shares.get(outcome, DEFAULT_SHARES.get(outcome, 0.0))


CompileText = Callable[[str], Flow | str]  # of a flow's text: the flow, or why there is none


def compiles_nothing(_text: str) -> Flow | str:
    """Refuse the text of a flow: of a project that was not loaded from files."""
    return "this project compiles no flows"


class Project(Struct, frozen=True, kw_only=True):
    """A loaded project. `flows` are sorted by name, the order in which the flows of one event run.

    `broken_flows` are the names of flows that were left out because of their errors. `compile_text` compiles the text
    of an earlier version of a flow, with the names of this project.
    """

    name: str = ""
    settings: Settings = Settings()
    flows: tuple[Flow, ...] = ()
    broken_flows: frozenset[str] = frozenset()
    compile_text: CompileText = compiles_nothing
    segments: Mapping[str, Segment] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    schemas: Mapping[str, Schema] = field(default_factory=dict)  # declared ones, by the types of events
    tasks: Mapping[str, ScriptTask] = field(default_factory=dict)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    imports: Mapping[str, ImportMapping] = field(default_factory=dict)
    segment_rules: SegmentRules = field(default_factory=lambda: SegmentRules(()))  # derived from `segments`

    @property
    def waits(self) -> bool:
        """Whether runs of a flow may wait."""
        return any(flow.while_waiting is not None for flow in self.flows)

    def __post_init__(self) -> None:
        force_setattr(self, "segment_rules", SegmentRules(self.segments.values(), self.settings.timezone))

import re
import zlib
from typing import Annotated, Any

from msgspec import Meta

from engine.flow.ask import Ask, Reply, WaitAsk, WaitReply, refusal
from engine.flow.node import (
    LONGEST_WAIT_MS,
    Checked,
    Duration,
    Fixed,
    InPlaceOf,
    Node,
    NodeContext,
    Outcome,
    Port,
    Sole,
    Text,
)
from engine.language.absent import Unfit, Unusable
from engine.language.moment import date, zone_of, zone_remedy
from engine.language.zone import find_zone, next_at

_DAYS = LONGEST_WAIT_MS // 86_400_000
_HOURS = 24
_TIME = re.compile(r"(\d{1,2})(?::([0-5]\d))?", re.ASCII)


def _zone_defect(name: str) -> tuple[str, str]:
    """The defect of a name that is no time zone, and the remedy; two empty texts without one."""
    return ("", "") if "{{" in name or find_zone(name) else ("is not a time zone", zone_remedy(name))


def _moment_defect(text: str) -> tuple[str, str]:
    """The defect of a text that names no moment, and the remedy; two empty texts without one."""
    if "{{" in text or text.startswith("$."):
        return "", ""
    try:
        date(text)
    except Unfit:
        time = _TIME.fullmatch(text)
        help = 'write ISO 8601 such as `2026-05-01T09:00`, or a time of day: `wait.until: {time: "09:00"}`'
        if time and int(time[1]) < _HOURS:
            help = f'write `wait.until: {{time: "{int(time[1]):02}:{time[2] or "00"}"}}`'
        return "is not a moment", help
    return "", ""


class WaitUntil(Node, frozen=True, tag="wait.until"):
    """Put the run away until a moment, or until a time of day in a time zone.

    A moment that has passed lets the run go on at once. A time of day is the next one; one that the zone skips is the
    end of the gap, and of two with the same name it is the first. With `spread` the runs of several profiles go on at
    different moments, so that not all of them call a target at once. The flow says in `while_waiting` what a new event
    does to a run that waits.
    """

    at: Annotated[
        Any,
        Sole(),
        Checked(_moment_defect),
        Meta(
            description="The moment: milliseconds since 1970, or ISO 8601 text, which is in `zone` without an offset",
            examples=["{{ event.properties.starts }}"],
        ),
    ] = None
    time: Annotated[
        Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None,
        InPlaceOf("at"),
        Fixed(),
        Meta(description="The time of day, as HH:MM", examples=["09:00"]),
    ] = None
    zone: Annotated[
        Text | None,
        Checked(_zone_defect),
        Meta(description="The time zone, by its IANA name. Default: that of the project", examples=["Europe/Berlin"]),
    ] = None
    spread: Annotated[
        Duration,
        Meta(description="Go on up to so much later, by chance", examples=["10m"], ge=0, le=86_400_000),
    ] = 0

    uses_profile = True
    makes_ids = True  # they are its chance
    waits = True
    examples = (
        """\
morning:
  wait.until: {time: "09:00", zone: Europe/Berlin, spread: 10m}
""",
        """\
start:
  wait.until: "{{ event.properties.starts | default(now + days(1)) }}"
""",
    )

    done = Port("The moment has come, or had passed", main=True)

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask to be resumed at the moment; leave by `done` when it has passed, by `failed` when it is none."""
        try:
            zone = zone_of(self.zone or context.timezone, "wait.until")
            if self.time is not None:
                hours, minutes = self.time.split(":")
                moment = next_at(int(hours) * 60 + int(minutes), context.now, zone)
            else:
                moment = date(self.at, self.zone or context.timezone)
        except (Unusable, OverflowError) as error:
            return self.failed(reason=str(error))
        if self.spread:
            moment += zlib.crc32(context.new_id.encode()) % (self.spread + 1)
        if moment <= context.now:
            return self.done()
        if moment > context.now + LONGEST_WAIT_MS:
            return self.failed(reason=f"the moment is more than {_DAYS} days away, and a run waits no longer")
        return WaitAsk(moment)

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Go on."""
        return self.done() if isinstance(reply, WaitReply) else self.failed(reason=refusal(reply))

"""A profile that is attached during a unit: time that passed since its last commit counts for its windows."""

from engine.language.expression import compile_condition
from engine.ports.store import Store
from engine.project.segment import Segment
from engine.tracking.operations.reevaluation import reevaluate
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project

DAY = 86_400_000
FLOWS = (
    """
    flow: order
    trigger: {event: order}
    nodes:
      who: {profile.merge: {pii.email: ann@example.com}, next: count}
      count: {profile.count: orders}
    """,
    """
    flow: call
    trigger: {event: call}
    nodes:
      who: {profile.attach: {key: {pii.email: ann@example.com}}, next: note}
      note: {profile.set: {traits.called: true}}
    """,
)
# Ann is a member for seven days after her order has left the window of one day.
FRESH = Segment(name="fresh", condition=compile_condition("counted('orders', '1d') > 0"), within_ms=7 * DAY)


async def test_a_window_that_ended_before_the_attaching_is_counted_from_its_own_end(store: Store) -> None:
    collector = Collector(project(*FLOWS, segments={"fresh": FRESH}), store)
    id = (await collector.track(payload("order")))["profile"]["id"]
    collector.clock.advance(6 * DAY)
    await collector.track(payload("call", session="phone-line"), profile_less=True)
    assert (await collector.profile(id))["traits"]["called"] is True
    assert (await collector.profile(id))["segments"] == ["fresh"]
    collector.clock.advance(4 * DAY)
    await reevaluate(collector.pipeline, id)
    assert (await collector.profile(id))["segments"] == []

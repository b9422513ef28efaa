"""A promised id: one that a sender was told while the store was away, before anybody could look whose it is.

When its payload turns out to belong to a profile that exists, the promised id becomes one more id of that profile, as a
merge with an empty profile: a tombstone at the promised id leads there from then on. The step proves what it joins,
since both ids were the same sender's: one it was told for its session, the other is its session's or one it showed.
"""

from engine.flow.run_state import MOST_IDS
from engine.ports.records import ProfileWrite, Unit
from engine.profile.apply import commit
from engine.profile.declared import Fields
from engine.profile.document import Profile, Step, new_profile
from engine.profile.fold import fold
from engine.profile.merge import step_id, tombstone, unite
from engine.profile.profile_view import shown
from engine.tracking.unit.cache import KnownProfile

CAUSE = "promised"


def adoption(person: Profile, acting: str, id: str, now: int, fields: Fields) -> tuple[Unit, KnownProfile] | None:
    """The unit that makes `id`, which nobody has, an id of `person`, and the profile as it is then.

    None when this step has been undone, or the profile has as many ids as it may have.
    """
    left = acting if acting in person.parts else person.id
    other = new_profile(id, now)
    united = unite(person, other, Step(step_id(left, id, CAUSE), left, id, CAUSE))
    if id not in united.parts or len(united.parts) > MOST_IDS:
        return None
    following, _ = commit(united, left, (), now, None, fields)
    known = KnownProfile(following, shown(following, fold(following, fields)))
    writes = ProfileWrite(following, person.version, known.shown), ProfileWrite(tombstone(other, following.id), 0)
    return Unit(profiles=writes), known

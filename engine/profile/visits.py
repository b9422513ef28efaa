"""Visits: when a profile was seen, and how often it came back.

Each part keeps when it was seen last, when the visit before that ended, and how many visits there were: it is written
with every unit anyway. Visits of several parts add up.
"""

from msgspec import structs

from engine.profile.document import Profile


def record_visit(profile: Profile, id: str, now: int, new: bool) -> Profile:
    """The profile once an event has come in under `id`. `new` says that a visit begins with it."""
    part = profile.parts.get(id)
    if part is None:
        return profile
    last, before, visits = part.visit_times
    met = (max(last, now), last, visits + 1) if new else (max(last, now), before, visits)
    return structs.replace(profile, parts={**profile.parts, id: structs.replace(part, visit_times=met)})


def visits(profile: Profile) -> dict[str, int]:
    """When a profile was first and last seen, and in an earlier visit (ms); and how many visits it has made."""
    parts = profile.parts.values()
    if len(profile.parts) == 1:
        (part,) = parts
        last, before, visits = part.visit_times
        told = {"first_seen": part.created, "visits": visits}
    else:
        told = {
            "first_seen": min([part.created for part in parts], default=profile.created),
            "visits": sum([part.visit_times[2] for part in parts]),
        }
        last, before, _ = max([part.visit_times for part in parts], default=(0, 0, 0))
        before = max([before, *(part.visit_times[0] for part in parts if part.visit_times[0] < last)])
    if last:
        told["last_seen"] = last
    if before:
        told["previous_seen"] = before
    return told

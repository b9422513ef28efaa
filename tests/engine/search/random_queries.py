"""Random documents and queries, made of so few words that queries often match."""

from random import Random
from typing import Any

from engine.language.written_time import written_time
from engine.ports.kinds import SEARCHABLE
from engine.ports.records import ProfileWrite, Rejected, RunRecord, Session, SessionWrite, StoredEvent, Unit
from engine.profile.document import Link, Part, Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view

WORDS = [
    "red",
    "re",
    "Red",
    "blue sky",
    "12",
    "true",
    "a.b",
    "",
    "ü🐎",
    'quo"te',
    "back\\slash",
    "n\nl",
    "x" * 1025,
    "-5",
]
NUMBERS = [0, 1, 12, -5, 12.0, 12.5, 1e16, 2**53, True, False, None]
NAMES = ["a", "b", "a.b", "c d"]
NOW = 1_715_000_000_000


def value(rng: Random, depth: int = 2) -> Any:
    pick = rng.randrange(10)
    if depth and pick == 0:
        return [value(rng, depth - 1) for _ in range(rng.randrange(3))]
    if depth and pick == 1:
        return tree(rng, depth - 1)
    return rng.choice(WORDS if pick < 6 else NUMBERS)


def tree(rng: Random, depth: int = 2) -> dict[str, Any]:
    return {rng.choice(NAMES): value(rng, depth) for _ in range(rng.randrange(4))}


def word(rng: Random) -> str:
    return rng.choice([word for word in WORDS if word])


def unit(rng: Random, n: int) -> Unit:
    """Return the n-th unit: one document of each kind, with its own ids and increasing times."""
    at = NOW + n * 1000
    some = rng.choice([None, "ann", "red"])
    event = StoredEvent(
        id=f"e{n}", type=word(rng), source=rng.choice(["web", "app"]), received=at, session=some, profile=f"p{n}",
        time=rng.choice([None, "2024", 12, written_time(NOW + 3000), written_time(NOW - 1000)]),
        occurred=rng.choice([None, None, NOW + 4000, NOW - 1000]), properties=tree(rng), context=tree(rng),
    )  # fmt: skip
    session = Session(source="web", id=f"s{n}", created=at, profile=some, version=1, properties=tree(rng))
    run = RunRecord(
        id=f"r{n}", event=f"e{n}", flow=word(rng), version="9f", outcome=rng.choice(["finished", "failed"]), at=at,
        source="web", profile=some,
    )  # fmt: skip
    reason = f"the {word(rng)} is {word(rng)}"
    rejected = Rejected(
        id=f"x{n}", source="web", at=at, reason=reason, session=some, profile=rng.choice([None, "ann", "red"])
    )
    document = profile(rng, f"p{n}", at)
    return Unit(
        profiles=(ProfileWrite(document, 0, profile_view(document, fold(document))),),
        sessions=(SessionWrite(session, 0),),
        events=(event,),
        runs=(run,),
        rejected=(rejected,),
    )


def profile(rng: Random, id: str, at: int) -> Profile:
    """Return a profile of one part, or of two that a link joins."""
    ids = [id] if rng.random() < 0.7 else [id, f"{id}-2"]
    parts = {part_id: part(rng, part_id, at) for part_id in ids}
    links = {"s": Link("s", ids[0], ids[-1])} if len(ids) == 2 else {}
    into = "elsewhere" if rng.random() < 0.1 else None
    conditional = tuple(sorted(rng.sample(["vip", "new"], rng.randrange(3))))
    return Profile(id=id, created=at, version=1, parts=parts, links=links, conditional=conditional, merged_into=into)


def part(rng: Random, id: str, at: int) -> Part:
    cells = {f"traits.{name}": rng.choice([*WORDS, *NUMBERS]) for name in ("a", "b~1c", "d.e") if rng.random() < 0.5}
    if rng.random() < 0.3:
        cells['segments.~m"red"'] = True
    counts = {"traits.n": (at, at, rng.choice([1, 5, 6, 12.5]))} if rng.random() < 0.5 else {}
    return Part(id=id, created=at, base=at, last=at, cells=cells, counts=counts)


def query(rng: Random, kind: str, depth: int = 3) -> str:
    """Return a valid query."""
    pick = rng.randrange(8 if depth else 4)
    if pick < 4:
        return condition(rng, kind)
    parts = [query(rng, kind, depth - 1) for _ in range(rng.randint(1, 3))]
    match pick:
        case 4:
            return f"({' AND '.join(parts)})"
        case 5:
            return f"({' OR '.join(parts)})"
        case 6:
            return f"({' '.join(parts)})"
    return f"NOT {parts[0]}"


def condition(rng: Random, kind: str) -> str:
    """Return one condition on a field, or a word without a field."""
    name = rng.choice([*SEARCHABLE[kind].fields, None])
    if name is None:
        return text(rng)
    type = SEARCHABLE[kind].fields[name]
    if type == "free":
        name += rng.choice(["", ".a", ".b", ".a\\.b", ".a.a", ".c\\ d", ".n", ".d.e", ".b.c"])
    if type == "number":
        return f"{name}:{rng.choice(['1', '>0', '[1 TO 5}', '*'])}"
    if type == "moment":
        moments = [f">{NOW + 3000}", f"<={NOW + 5000}", "2024-05", "[now-5s TO now]", "*", "<2023", f"{{{NOW} TO *}}"]
        return f"{name}:{rng.choice(moments)}"
    if type == "free" and rng.random() < 0.25:
        return f"{name}:{rng.choice(['>5', '<=12', '[-5 TO 12]', '{0 TO *}', '-5'])}"
    return f"{name}:{rng.choice([text(rng), '*'])}"


def text(rng: Random) -> str:
    """Return a word, the beginning of a word, or a phrase."""
    chosen = rng.choice(
        [
            *(word for word in WORDS if len(word) < 100),
            "ann",
            "e3",
            "p3",
            "p3-2",
            "vip",
            "web",
            "12.0",
            "the",
            "failed",
            "1.0",
        ]
    )
    pick = rng.random()
    if pick < 0.5 or not chosen or "\n" in chosen:
        return '"' + chosen.replace("\\", "\\\\").replace('"', '\\"') + '"'
    plain = "".join(char if char.isalnum() or char in "._🐎" else f"\\{char}" for char in chosen)
    if pick < 0.8:
        return plain
    return ("".join(plain[:1] if plain[0] != "\\" else plain[:2])) + "*"

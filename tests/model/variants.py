"""Wrong variants of the protocol, each by the step that it leaves out or does at the wrong time."""

from typing import NamedTuple


class Variant(NamedTuple):
    """The wrong rule in one sentence, and the seed of a short history that breaks by it; None: it is spare."""

    rule: str
    seed: int | None = None


VARIANTS: dict[str, Variant] = {
    # Profiles that join and are set apart.
    "frozen_joins": Variant("A merge that a crash left is completed as it was meant, not judged by what is stored.", 2),
    "blind_split": Variant("A document that is split off is written at whatever version is there.", 2),
    "no_repoint": Variant("Keys of those who leave are not left to those who stay.", 31),
    "one_key": Variant("Claims and proofs share the key's document; a proof writes over a claim after its commit.", 40),
    "keys_last": Variant("Keys are left to those who stay after the documents of those who leave are written."),
    "new_rank": Variant("A profile that leaves counts as created at that moment."),
    "two_places": Variant("An id that is met in two documents is no reason to begin again."),
    "smallest_first": Variant("Of the documents that are split off those of the smallest rank are written first."),
    "living_first": Variant("Split-off documents are written before the tombstones that lead past them."),
    "no_reread": Variant("Open tombstones are not read again after the document that is to take them.", 16),
    "owner_only": Variant(
        "A unit that finds an uncommitted proof joins its id, but does not record the proof for it.", 3
    ),
    "no_pointers": Variant("After a split only the documents of those who leave are led elsewhere.", 69),
    "proof_stays": Variant("A proof does not set apart from those who were joined by claims.", 2),
    "blind_freeze": Variant("A tombstone is written without the version that was read.", 1),
    "key_taken": Variant("A key whose unit is not committed is taken over, instead of joining its id.", 3),
    "bare_key": Variant("A key does not name the user of the pair that holds it.", 15488),
    "bare_tombstone": Variant("The tombstone of a pair that was never stored does not name its user."),
    # Entries, marks and sessions.
    "mark_trusted": Variant("The mark is written before the commit, and trusted.", 1),
    "mark_first": Variant("The mark is read before the profile.", 34),
    "marks_last": Variant("The mark and the session are written after the documents of those who leave.", 265),
    "claim_taken": Variant("The claim of a mark is taken over by a repeat under another id.", 380),
    "early_answer": Variant("A unit is acknowledged before its commit.", 0),
    "clear_early": Variant("The next commit drops entries that may not be finished.", 6),
    "unfinished": Variant("A loader neither finishes the entries that it passes nor looks through them.", 2),
    "carried": Variant("An entry that rearranges profiles is carried beside the next one.", 20),
    "split_carries": Variant("Unfinished entries are carried beside one that rearranges profiles.", 376),
    "loser_unfinished": Variant("A loser is frozen while it carries unfinished entries, which are dropped.", 1991),
    "session_blind": Variant("The session is written though a newer version is there.", 4),
    "session_first": Variant("The session is read only before the profile.", 30),
    "new_guard": Variant("A hand-over writes the session with the unit of the new pair, guarded by its document.", 52),
    "hand_over_carries": Variant("Unfinished entries are carried beside a hand-over."),
    "bare_session": Variant("A session that is handed over names its new id, but not the pair's user.", 42),
    # Forgetting.
    "forgotten_once": Variant(
        "A forgetting is complete once a pass finds nothing, though older tasks are running.", 160
    ),
    "forgotten_served": Variant("Units of forgotten ids are not refused.", 22),
    "forgotten_joined": Variant("A key that a forgotten id holds joins it."),
    "frozen_forgotten": Variant(
        "A profile that is frozen to be merged with a forgotten profile is forgotten, too.", 41
    ),
    "frozen_stay": Variant("A profile that is frozen to be merged with a forgotten profile stays frozen.", 31),
    "refused_last": Variant("The tombstones of ids are written once nothing of them is left.", 9),
    "removed_unfinished": Variant("A document is removed with entries that are not finished."),
    "removed_blind": Variant("A document is removed at whatever version is there."),
    "removed_at_once": Variant("Removed documents are deleted at once, so that an old unit can create them again."),
    "keys_stay": Variant("Keys that lead to a forgotten id are not dropped.", 1),
    "entries_stay": Variant("Finished entries with writes of a forgotten id stay in other profiles' documents.", 3882),
}

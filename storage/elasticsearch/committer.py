"""The commit protocol: how a unit is written to a store that has no transactions.

Elasticsearch changes one document at a time. So one document commits a unit: it is written by compare-and-set, and it
carries in `pending` all else that the unit writes. Before that write nothing of the unit counts; after it, all of it
does, although some documents do not exist yet. `commit` returns once that write is durable.

Which document commits:
  profiles in the unit          that of the first living profile (`ProfileCommit`)
  else sessions                 that of the session's profile, or of the session where it has none (`SessionCommit`)
  else marks                    the first mark (`MarkCommit`)
  else versioned records        the first record that is changed or deleted, else the first created (`RecordCommit`)
  else                          none if one document is all there is, else one made for the purpose (`MarkCommit`)
`check_unit` refuses a unit without a profile that writes sessions and changes or deletes a versioned record: it would
have to commit with a session, whose document cannot be fenced. A session is guarded by the document of the profile that
it leads to as it is stored, also if the unit hands it over to another one. The document of a profile guards the
sessions of all profiles in the unit: none of them is found but through it, until its entry is finished. A unit commits
its sessions of other profiles, and without a profile all sessions but the first, each on its own before it; they stay
written even if the unit fails (see `Store.commit`).

Positions: a profile's document has a version, which units raise, and beside it `rewrites`, which the store raises when
it rewrites the document at that version. Every write that changes what is found under an id raises this pair, so a
write that is done only over one pair is done once, however late and by whomever. Entries that come or go, and the
fence, raise neither.

States of a unit, and the transitions between them:
  PLANNED    It has a token, which no other commit has, and a stamp, which orders it among commits. `plan` refuses a
             unit that contradicts itself.
  CHECKED    What the unit rests on was read, and is as the unit expects: profiles, sessions, keys, marks, versioned
             records. A session or a mark is not read again if it was read after the profile's document as it is now:
             whoever changes it must write that document; nor a mark that was absent since its session leads there.
             Identity writes that the document carries are finished first. -> `Conflict` if something has moved.
  CLAIMED    Claims are written: keys without a holder or held by one of `over`, new sessions, marks that could be led
             to another profile, versioned records to be changed or deleted. A claim names what it is claimed for and
             counts as nothing else. It stands though the unit fails: a key and a session belong to the profile that
             claimed them. Claims of marks and records may be written over, after the `Fence`. -> `Conflict` if another
             unit was faster.
  FROZEN     Each document beside the committing one that is living, or not stored yet, is an open tombstone that leads
             there; it keeps the profile (`Tombstones`). No other unit can be committed with it now. It joins no
             profiles: readers find one document with the parts and links of all, and the engine judges by the links
             what belongs together; the next commit over that document decides. -> `Conflict` if another unit was
             faster.
  COMMITTED  The document that commits is written. -> CHECKED again, if that document moved and its version did not
             (a fence, or another unit's entry that was cleared), at most `MAX_TRIES` times; `Conflict` if the version
             moved.
  FINISHED   All pending writes are done, the identity writes last (`IdentityWrites`): keys that are left to others,
             tombstones that are closed or lead elsewhere, profiles that are set apart. Each of them lists the exact
             position that it is written over; at any other one it has been done. The finisher of this process starts at
             once; every reader of the document does it first, and reads again what leads there if there were identity
             writes; the sweeper does it for documents that are not read. Only then the entry may leave the document:
             with its next write, or by `tidy`, or by the sweeper.

Invariants:
  1. A document that commits is written only over the state that was read or written last (`if_seq_no`), or created; a
     session without a profile over its own older version.
  2. Every pending write changes nothing when it is done again, at any later time: appended records are created under
     `token-nth`, keyed ones are ordered by their stamps, sessions by their versions; a versioned record is created, or
     changed only from the version that the unit expected, and its deletion leaves a document that no create passes;
     identity writes are done over one position, and keys are left only by those who lose them.
  3. An entry leaves its document only when all its writes are known to be done.
  4. What is read by id has all commits in it that its reader could know of: loaders finish what the documents that
     they pass carry.
  5. Of two units that rest on one version of a profile, a session, a key, a mark or a versioned record, at most one is
     committed. Records that are created are the exception, see `StoredRecords`.
  6. Nothing that decides is found by a search.
  7. An id is in one living document, or in that and open tombstones that lead there. Tombstones lead to lower ranks
     only. Nothing is committed with a document, and nothing is found through it, while it carries identity writes that
     are not done.
  8. The marks of a unit that hands a session over exist before the session leads elsewhere.

What each failure does:
  a precondition fails          `Conflict`; nothing was written but claims. The caller runs the unit again.
  a write clashes               It may be the same write, whose answer was lost and which the writer sent again. So the
                                document is read: if it has the unit's token in `recent`, or is frozen by it, or a
                                document exists that only this unit can leave, the write was done; else the version
                                decides, as above.
  an outcome stays unknown      `Unavailable`; what is cached of the profile is dropped. The unit may be committed: the
                                caller runs it again, and its marks tell.
  the process ends              Before COMMITTED claims are left, which stand or are fenced by others, and open
                                tombstones, which the next unit completes that meets them, or the engine's upkeep
                                (`Store.unsettled`). After it the entry is left, which loaders and the sweeper
                                finish.
  the server refuses for good   `Unavailable`, before COMMITTED. After it the finisher tries again, for ever.
  pending grows                 A document carries at most `MAX_PENDING` entries; the next unit waits until they are
                                finished, and is `Unavailable` if that takes too long.

Within one process units that touch the same documents are committed one after the other, in the order in which they
came (`DocumentLocks`): that spares conflicts, and nothing rests on it.
"""

from engine.ports.records import Unit
from storage.elasticsearch.claims import Claims
from storage.elasticsearch.commit_carrier import CommitCarrier
from storage.elasticsearch.commit_plan import CommitPlan, CommitPlans, names_of
from storage.elasticsearch.document_locks import DocumentLocks
from storage.elasticsearch.fence import Fence
from storage.elasticsearch.finisher import Finisher
from storage.elasticsearch.loader import Loader
from storage.elasticsearch.mark_commit import MarkCommit
from storage.elasticsearch.names import Names
from storage.elasticsearch.preconditions import Preconditions
from storage.elasticsearch.profile_commit import ProfileCommit
from storage.elasticsearch.reader import Reader
from storage.elasticsearch.record_commit import RecordCommit
from storage.elasticsearch.session_commit import SessionCommit
from storage.elasticsearch.stored_records import StoredRecords
from storage.elasticsearch.tombstones import Tombstones
from storage.elasticsearch.writer import Writer
from storage.encoding import check_unit


class Committer:
    """Commits units. Those that touch the same documents take turns."""

    def __init__(
        self, reader: Reader, writer: Writer, loader: Loader, finisher: Finisher, fence: Fence, records: StoredRecords
    ) -> None:
        names: Names = loader.names
        check = Preconditions(loader, reader, writer)
        claims = Claims(loader, writer, fence)
        carrier = CommitCarrier(reader, loader, finisher)
        tombstones = Tombstones(loader, writer, names)
        self._loader = loader
        self._locks = DocumentLocks()
        self._plans = plans = CommitPlans(names, finisher.format)
        self._sessions = sessions = SessionCommit(reader, writer, loader, check, records, carrier, plans, names)
        self._profiles = ProfileCommit(writer, loader, check, claims, records, tombstones, sessions, carrier, names)
        self._marks = MarkCommit(reader, writer, finisher, check, claims, records, carrier, names)
        self._records = RecordCommit(reader, writer, finisher, check, records, carrier, names)

    async def commit(self, unit: Unit) -> None:
        """Write all of the unit, or nothing. Raises `Conflict`, `Unavailable`, and `ValueError` (`check_unit`)."""
        check_unit(unit)
        async with self._locks.of(names_of(unit)):
            now = self._loader.now()
            await self._commit(self._plans.plan(unit, now), now)

    async def close(self) -> None:
        """Wait for the units that are being committed."""
        await self._locks.over()

    async def _commit(self, plan: CommitPlan, now: int) -> None:
        if plan.unit.profiles:
            await self._profiles.commit(plan)
        elif plan.unit.sessions:
            await self._sessions.commit(plan)
        elif plan.changes and not plan.marks:
            await self._records.commit(plan)
        else:
            await self._marks.commit(plan, now)

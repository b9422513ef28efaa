"""The contract of all stores for erasing the documents of a profile. Each adapter's test class inherits it."""

from typing import Any

import pytest
from msgspec import structs

from engine.ports.erasure import DataSubject, Erased
from engine.ports.records import CacheEntry, IdentityKey, ProcessedEvent, Session, SessionWrite, Unit
from engine.ports.store import Conflict, Store
from tests.storage.build import event, everything, mark, rejected, run, session_write, whole_unit, write

ANN = DataSubject(frozenset({"ann"}), frozenset({("web", "visit")}))


def visit(id: str, profile: str | None, source: str = "web") -> SessionWrite:
    return SessionWrite(Session(source=source, id=id, created=1, profile=profile, version=1), 0)


def of(who: str) -> Unit:
    """A unit with records of each kind, all of one profile in a session of its own."""
    return Unit(
        profiles=(write(who, color="red"),),
        sessions=(visit(f"{who}'s visit", who),),
        keys=(IdentityKey(f"pii.email:{who}", who), IdentityKey(f"?pii.phone:{who}", who)),
        marks=(structs.replace(mark(f"{who}-1"), profile=who, session=f"{who}'s visit"),),
        events=(
            structs.replace(event(f"{who}-1", profile=who), session=f"{who}'s visit"),
            structs.replace(event(f"{who}-2", profile=who), session=f"{who}'s visit"),
        ),
        runs=(structs.replace(run(f"run of {who}", f"{who}-1"), profile=who),),
        rejected=(structs.replace(rejected(f"no {who}"), session=f"{who}'s visit"),),
        cache=(CacheEntry(f"of {who}", {"tier": who}, 1000, who),),
    )


async def there(store: Store, who: str) -> list[Any]:
    """All documents of `of(who)` that the store returns."""
    return [
        await store.profile(who),
        await store.session("web", f"{who}'s visit"),
        await store.key(f"pii.email:{who}"),
        await store.key(f"?pii.phone:{who}"),
        (await store.marks("web", (f"{who}-1",))).get(f"{who}-1"),
        *await store.events_of(who, 10),
        await store.event(f"{who}-1"),
        await store.event(f"{who}-2"),
        await store.run(f"run of {who}"),
        *await store.runs_of(f"{who}-1"),
        *[one for one in await store.rejected(10) if one.id == f"no {who}"],
        await store.cached(f"of {who}", 0),
    ]


class ErasingContract:
    """The tests; one promise each."""

    async def test_all_documents_of_a_profile_are_erased_and_no_others(self, store: Store, second: Store) -> None:
        await store.commit(of("ann"))
        await store.commit(of("bo"))
        bo = await there(store, "bo")
        subject = await second.data_subject(frozenset({"ann"}))
        assert subject == DataSubject(frozenset({"ann"}), frozenset({("web", "ann's visit")}))
        await second.remove("ann", 1)
        assert await second.erase(subject) == Erased(sessions=1, events=2, runs=1, rejected=1, keys=2, marks=1, cache=1)
        assert set(await there(store, "ann")) == {None}
        assert await there(store, "bo") == bo
        assert await second.erase(subject) == Erased()
        counts = await store.counts()
        assert (counts["profiles"], counts["sessions"], counts["events"], counts["runs"]) == (1, 1, 2, 1)

    async def test_the_data_subject_of_a_merged_profile_has_all_its_ids_and_sessions(self, store: Store) -> None:
        await store.commit(Unit(profiles=(write("a", into="b"), write("b", into="c"), write("c"), write("d"))))
        for source, id, profile in (("web", "1", "a"), ("app", "1", "c"), ("web", "2", "d"), ("web", "3", None)):
            await store.commit(Unit(sessions=(visit(id, profile, source),)))
        subject = await store.data_subject(frozenset({"c"}))
        assert subject == DataSubject(frozenset({"a", "b", "c"}), frozenset({("web", "1"), ("app", "1")}))

    async def test_a_profile_is_removed_at_its_version_only(self, store: Store, second: Store) -> None:
        await store.commit(Unit(profiles=(write("ann", n=1),)))
        await store.commit(Unit(profiles=(write("ann", 1, n=2),)))
        with pytest.raises(Conflict):
            await second.remove("ann", 1)
        assert await store.profile("ann") is not None
        await second.remove("ann", 2)
        assert await store.profile("ann") is None
        assert await store.as_stored(("ann",)) == {}
        await second.remove("ann", 2)  # it is gone already

    async def test_a_commit_over_a_removed_profile_conflicts(self, store: Store, second: Store) -> None:
        await store.commit(whole_unit())
        await second.remove("ann", 1)
        with pytest.raises(Conflict):
            await store.commit(whole_unit(1))
        assert await store.profile("ann") is None

    async def test_an_event_without_a_profile_belongs_to_its_session(self, store: Store) -> None:
        strangers = structs.replace(event("bo-1", profile="bo"), session="visit")
        nobodys = event("none-1", profile=None)
        elsewhere = structs.replace(event("app-1", profile=None), source="app")
        await store.commit(Unit(events=(strangers, nobodys, elsewhere)))
        assert (await store.erase(ANN))["events"] == 1
        assert [await store.event(id) for id in ("bo-1", "none-1", "app-1")] == [strangers, None, elsewhere]

    async def test_a_run_that_read_the_profile_or_ran_for_its_event_is_erased(self, store: Store) -> None:
        met = structs.replace(run("met", "e-8"), other_profiles=("bo", "ann"))
        others = structs.replace(run("others", "e-9"), other_profiles=("bo",), profile="cy")
        own = structs.replace(run("own", "e-1"), at=event().received)
        await store.commit(Unit(events=(event("e-1"),), runs=(own, met, others)))
        assert (await store.erase(ANN))["runs"] == 2
        assert [await store.run(id) for id in ("own", "met", "others")] == [None, None, others]

    async def test_a_run_without_a_profile_belongs_to_its_session_also_when_its_event_is_not_stored(
        self, store: Store
    ) -> None:
        bare = structs.replace(run("bare", "e-1"), session="visit")
        bos = structs.replace(run("bos", "e-2"), session="visit", profile="bo")
        elsewhere = structs.replace(run("elsewhere", "e-3"), session="visit", source="app")
        await store.commit(Unit(runs=(bare, bos, elsewhere)))
        assert (await store.erase(ANN))["runs"] == 1
        assert [await store.run(id) for id in ("bare", "bos", "elsewhere")] == [None, bos, elsewhere]

    @pytest.mark.parametrize(
        ("source", "at"), [("app", 5), ("web", 9)], ids=["of another source", "again, after a while"]
    )
    async def test_an_event_of_another_profile_with_the_same_id_stays(self, store: Store, source: str, at: int) -> None:
        for who, source_, at_ in (("ann", "web", 5), ("bo", source, at)):
            await store.commit(
                Unit(
                    profiles=(write(who),),
                    events=(structs.replace(event("1", who, source_), received=at_),),
                    marks=(ProcessedEvent(source_, "1", at_, f"{who}'s visit", who),),
                    runs=(structs.replace(run(f"run of {who}", "1"), source=source_, profile=who, at=at_),),
                )
            )
            if source == "web":  # else the same id would be a repeat
                await store.forget_marks(6)
        # The other profile's event has its id, source and time from one event each; that makes it none of them.
        await store.commit(Unit(events=(structs.replace(event("2", "ann", source), received=at),)))
        kept = await store.event("1"), await store.run("run of bo"), await store.marks(source, ("1",))
        assert None not in kept
        assert len(kept[2]) == 1
        await store.remove("ann", 1)
        await store.erase(await store.data_subject(frozenset({"ann"})))
        assert (await store.event("1"), await store.run("run of bo"), await store.marks(source, ("1",))) == kept
        assert await store.events_of("ann", 9) == []
        assert await store.run("run of ann") is None

    async def test_the_mark_and_run_of_an_event_are_erased_even_if_they_name_the_profile_it_was_merged_into(
        self, store: Store
    ) -> None:
        at = event().received
        early = structs.replace(mark("e-1", at=at), profile="bo")
        shown = structs.replace(run("r-1", "e-1"), profile="bo", at=at)
        await store.commit(Unit(events=(event("e-1"),), marks=(early,), runs=(shown,)))
        assert await store.erase(DataSubject(frozenset({"ann"}))) == Erased(events=1, marks=1, runs=1)

    async def test_a_rejected_event_that_named_the_profile_is_erased(self, store: Store) -> None:
        named = structs.replace(rejected("named"), profile="ann")
        other = structs.replace(rejected("other"), profile="bo", session="elsewhere")
        await store.reject((named, other))
        assert (await store.erase(ANN))["rejected"] == 1
        assert await store.rejected(10) == [other]

    async def test_documents_committed_after_an_erasure_are_found(self, store: Store) -> None:
        await store.commit(of("bo"))
        await store.commit(of("ann"))
        await store.remove("ann", 1)
        await store.erase(await store.data_subject(frozenset({"ann"})))
        await store.commit(Unit(events=(event("e-7", profile="cy"),), profiles=(write("cy"),), marks=(mark("e-7"),)))
        assert await store.event("e-7") == event("e-7", profile="cy")
        assert await store.events_of("cy", 10) == [event("e-7", profile="cy")]
        assert [one.id for one in await store.events_of("bo", 10)] == ["bo-2", "bo-1"]
        assert (await store.counts())["events"] == 3
        assert list(await store.marks("web", ("e-7", "ann-1"))) == ["e-7"]

    async def test_documents_with_unusual_ids_are_erased(self, store: Store) -> None:
        who = 'o"dd \\ ünï 🐎 \x01 nul\x00inside'
        await store.commit(of(who))
        await store.commit(Unit(events=(structs.replace(event("e-1", profile=None), session=f"{who}'s visit"),)))
        subject = await store.data_subject(frozenset({who}))
        assert (await store.erase(subject))["events"] == 3
        assert (await store.counts())["events"] == 0

    async def test_erasing_an_unknown_id_changes_nothing(self, store: Store) -> None:
        await store.commit(whole_unit())
        before = await everything(store)
        subject = await store.data_subject(frozenset({"nobody"}))
        assert subject == DataSubject(frozenset({"nobody"}))
        assert await store.erase(subject) == Erased()
        assert await everything(store) == before

    async def test_keys_without_a_profile_are_not_counted(self, store: Store) -> None:
        await store.commit(Unit(profiles=(write("ann"),), keys=(IdentityKey("pii.email:7be2a9c04d15f386", "ann"),)))
        await store.commit(Unit(keys=(IdentityKey("forgotten profile 1", ""), IdentityKey("forgotten session 2", ""))))
        assert (await store.counts())["keys"] == 1
        assert await store.key("forgotten profile 1") == IdentityKey("forgotten profile 1", "")

    async def test_notes_are_found_by_the_start_of_their_names(self, store: Store, second: Store) -> None:
        for name in ("forgetting b", "forgetting a", "forgettable", "z"):
            await store.keep_note(name, name.encode())
        assert await second.notes("forgetting ") == {"forgetting a": b"forgetting a", "forgetting b": b"forgetting b"}

    async def test_an_erased_session_is_absent_and_may_be_created_again(self, store: Store) -> None:
        await store.commit(Unit(profiles=(write("ann"),), sessions=(session_write("visit"),)))
        await store.remove("ann", 1)
        await store.erase(ANN)
        with pytest.raises(Conflict):
            await store.commit(Unit(sessions=(session_write("visit", 1),)))
        await store.commit(Unit(sessions=(visit("visit", None),)))
        assert await store.session("web", "visit") == visit("visit", None).session

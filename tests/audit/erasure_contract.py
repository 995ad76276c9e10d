"""What every store of the log keeps to about personal data. Subclassed once for each database, with its fixtures."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import stores
from audit.erasure import erase, finish
from audit.log import LOG_ITSELF, Appended, Erasure, Log, LogDamagedError, LogUnavailableError
from audit.stores import KeySettings, open_log
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.event_pb2 import CaseClosed, Event
from casetrail.v1.types_pb2 import Actor, Role
from domain.refusal import Rejected
from tests.audit.given import Writer, note, opening, reply

ADMIN = Actor(name="root", role=Role.ROLE_ADMIN)
WHY = "asked for by letter"
SECRETS = ("Li Lei", "Where is my parcel?", "my door code is 4711")

Find = Callable[[str], Awaitable[bool]]
"""Whether a text stands anywhere in the database files."""


def secrets_of(events: list[Event] | tuple[Event, ...]) -> list[str]:
    text = "".join(str(event) for event in events)
    return [secret for secret in SECRETS if secret in text]


async def written(log: Log, case_id: str = "INQ-1", *, closed: bool = True, customer: str = "cu-1") -> Writer:
    writer = Writer(log, case_id)
    await writer.write(opening(customer=customer), note(SECRETS[2]), key="open")
    if closed:
        await writer.write(CaseClosed(), key="close")
    return writer


async def erased(log: Log, request_id: str = "erase-1", customer: str = "cu-1", why: str = WHY) -> Event:
    return await erase(log, customer, why=why, request_id=request_id, actor=ADMIN)


class ErasureContract:
    """The rules of encrypted personal fields and of their erasure."""

    # Encryption

    async def test_nothing_personal_stands_in_the_database(self, log: Log, finds: Find) -> None:
        await written(log)
        assert await finds("INQ-1")
        assert [secret for secret in SECRETS if await finds(secret)] == []

    async def test_who_reads_the_log_reads_personal_fields(self, log: Log) -> None:
        writer = await written(log)
        assert secrets_of(tuple(await log.events("INQ-1"))) == list(SECRETS)
        assert await log.read_case("INQ-1") == writer.case
        page = await log.list_cases(CaseFilter(customer_id="cu-1"), page_size=5, token="")
        assert list(page.cases) == [writer.case]
        known = await log.find_key("INQ-1", "open")
        assert known is not None
        assert secrets_of(tuple(known.events)) == list(SECRETS)

    async def test_what_is_stored_names_its_key_and_hides_what_it_says(self, log: Log) -> None:
        await written(log)
        opened, noted, closed = await log.rows()
        (key_id,) = await log.keys_of("cu-1")
        assert (opened.dek_id, noted.dek_id, closed.dek_id) == (key_id, key_id, "")

    async def test_every_customer_and_every_case_without_one_has_a_key_of_its_own(self, log: Log) -> None:
        for case_id, customer in (
            ("INQ-1", "cu-1"),
            ("INQ-2", "cu-1"),
            ("INQ-3", "cu-2"),
            ("INC-4", ""),
            ("INC-5", ""),
        ):
            await written(log, case_id, customer=customer)
        keys = [row.dek_id for row in await log.rows() if row.seq == 1]
        assert keys[0] == keys[1]
        assert len(set(keys)) == 4

    # Each example is another case in the same log, and each database runs this.
    @settings(
        max_examples=25,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60), name=st.text("aöあ\0 \n", max_size=9))
    async def test_whatever_was_said_is_read_as_it_was_said(self, log: Log, text: str, name: str) -> None:
        case_id = f"INQ-{await log.size()}"
        writer = Writer(log, case_id)
        body = opening()
        body.customer.name = name
        await writer.write(body, reply(text), note(text), key="open")
        opened, replied, noted = await log.events(case_id)
        assert (opened.case_opened.customer.name, replied.replied.words.text, noted.note_added.words.text) == (
            name,
            text,
            text,
        )
        assert await log.read_case(case_id) == writer.case

    async def test_many_new_customers_at_once_get_their_keys_together(self, log: Log) -> None:
        batches = [Writer(log, f"INQ-{n}").batch(opening(customer=f"cu-{n}"), key="open") for n in range(50)]
        outcomes = await asyncio.gather(*(log.append(batch) for batch in batches))
        assert {type(outcome) for outcome in outcomes} == {Appended}
        assert len({row.dek_id for row in await log.rows()}) == 50

    async def test_another_process_reads_what_this_one_wrote(
        self, log: Log, log_url: str, key_settings: KeySettings
    ) -> None:
        await written(log)
        other = await open_log(log_url, key_settings)
        assert await other.events("INQ-1") == await log.events("INQ-1")
        await other.close()

    # Erasure

    async def test_what_was_erased_is_empty_for_ever_and_says_so(self, log: Log, finds: Find) -> None:
        await written(log)
        await erased(log)
        events = await log.events("INQ-1")
        assert secrets_of(tuple(events)) == []
        assert [event.erased for event in events] == [True, True, False]
        case = await log.read_case("INQ-1")
        assert case is not None
        assert (case.erased, case.subject, case.customer.name, case.customer.customer_id) == (True, "", "", "cu-1")
        assert [secret for secret in SECRETS if await finds(secret)] == []

    async def test_all_proofs_hold_after_an_erasure(self, log: Log) -> None:
        await written(log)
        before = [row.leaf_hash for row in await log.rows()]
        await erased(log)
        assert [row.leaf_hash for row in await log.rows()][: len(before)] == before
        assert (await log.verify()).findings == ()
        assert (await log.verify("INQ-1")).findings == ()

    async def test_the_log_says_who_erased_and_why_and_not_whose(self, log: Log) -> None:
        await written(log)
        event = await erased(log)
        assert (event.case_id, event.actor, event.customer_erased.why) == (LOG_ITSELF, ADMIN, WHY)
        assert (event.customer_erased.cases, len(event.customer_erased.key_ids)) == (1, 1)
        assert "cu-1" not in str(event)
        assert (await log.events(LOG_ITSELF))[0] == event

    async def test_an_erasure_asked_for_again_is_the_same_one(self, log: Log) -> None:
        await written(log)
        assert await erased(log) == await erased(log)
        with pytest.raises(Rejected, match="was used for something else"):
            await erased(log, customer="cu-2")
        with pytest.raises(Rejected, match="erased already"):
            await erased(log, "erase-2")

    async def test_nobody_is_erased_while_a_case_is_open(self, log: Log) -> None:
        await written(log)
        await written(log, "INQ-2", closed=False)
        with pytest.raises(Rejected, match="INQ-2 is open"):
            await erased(log)
        assert secrets_of(tuple(await log.events("INQ-1"))) == list(SECRETS)

    async def test_who_is_no_customer_cannot_be_erased(self, log: Log) -> None:
        await written(log)
        with pytest.raises(Rejected, match="no case is of 'cu-9'"):
            await erased(log, customer="cu-9")

    async def test_other_customers_stay(self, log: Log) -> None:
        await written(log)
        await written(log, "INQ-2", customer="cu-2")
        await erased(log)
        assert secrets_of(tuple(await log.events("INQ-2"))) == list(SECRETS)

    async def test_a_customer_who_comes_back_gets_a_new_key_and_nothing_old_returns(
        self, log: Log, finds: Find
    ) -> None:
        writer = await written(log)  # who remembers what the customer's name was
        await erased(log)
        with pytest.raises(LogUnavailableError, match="erased meanwhile: ask again"):
            await writer.write(note("hello again"), key="later")
        writer.case = await log.read_case("INQ-1")
        await writer.write(note("hello again"), key="later")
        await written(log, "INQ-2")
        case = await log.read_case("INQ-1")
        assert case is not None
        assert (case.subject, case.customer.name) == ("", "")
        assert (await log.events("INQ-1"))[-1].note_added.words.text == "hello again"
        assert secrets_of(tuple(await log.events("INQ-2"))) == list(SECRETS)
        assert (await log.verify()).findings == ()
        assert not await finds("hello again")

    async def test_a_process_with_the_key_in_mind_writes_nothing_under_it(
        self, log: Log, log_url: str, key_settings: KeySettings
    ) -> None:
        writer = await written(log)
        other = await open_log(log_url, key_settings)
        await other.events("INQ-1")
        await other.append(
            Writer(other, "INQ-2").batch(opening(), CaseClosed(), key="open")
        )  # the key is known there now
        await erased(log)
        writer.log = other
        with pytest.raises(LogUnavailableError, match="erased meanwhile: ask again"):
            await writer.write(note(SECRETS[2]), key="later")
        writer.case = await other.read_case("INQ-1")
        await writer.write(note("hello again"), key="later")
        assert secrets_of(tuple(await other.events("INQ-1"))) == []
        assert (await other.verify()).findings == ()
        await other.close()

    async def test_a_process_with_the_key_in_mind_shows_nothing_after_a_second(
        self, log: Log, log_url: str, key_settings: KeySettings
    ) -> None:
        await written(log)
        other = await open_log(log_url, key_settings)
        assert secrets_of(tuple(await other.events("INQ-1"))) == list(SECRETS)
        await erased(log)
        await asyncio.sleep(1.1)
        assert secrets_of(tuple(await other.events("INQ-1"))) == []
        case = await other.read_case("INQ-1")
        assert case is not None
        assert case.erased
        await other.close()

    async def test_what_is_noted_as_erased_is_not_shown_though_its_key_is_still_there(
        self, log: Log, log_url: str, key_settings: KeySettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("audit.subject_keys._REMEMBERED_SECONDS", 0.0)
        await written(log)
        other = await open_log(log_url, key_settings)
        event = Event(case_id=LOG_ITSELF, actor=ADMIN)
        event.customer_erased.key_ids.extend(await log.keys_of("cu-1"))
        assert await log.note_erasure(Erasure("cu-1", "erase-1", "0" * 64, event))
        assert secrets_of(tuple(await other.events("INQ-1"))) == []
        await other.close()

    async def test_keys_are_destroyed_unless_a_case_of_their_customer_is_open(self, log: Log) -> None:
        await written(log)
        await written(log, "INQ-2", customer="cu-2", closed=False)
        await written(log, "INQ-3", customer="", closed=False)
        for customer, of, is_noted in (("cu-1", "INQ-1", True), ("cu-2", "INQ-2", False), ("", "INQ-3", True)):
            event = Event(case_id=LOG_ITSELF, actor=ADMIN)
            event.customer_erased.key_ids.append(f"a key of {of}")
            assert await log.note_erasure(Erasure(customer, f"erase {of}", "0" * 64, event)) == is_noted, of

    async def test_an_erasure_is_unfinished_until_the_log_itself_has_its_event(self, log: Log) -> None:
        writer = await written(log, closed=False)
        await written(log, "INQ-2", customer="cu-2")
        await erased(log, "erase-2", customer="cu-2")
        event = Event(case_id=LOG_ITSELF, actor=ADMIN)
        event.customer_erased.key_ids.extend(["a key", "another"])
        assert await log.note_erasure(Erasure("cu-9", "erase-9", "0" * 64, event))
        await writer.write(note(), key="erase-9")
        assert [each.request_id for each in await log.unfinished_erasures()] == ["erase-9"]

    async def test_an_erasure_that_a_crash_interrupts_is_finished_at_the_next_start(
        self, log: Log, log_url: str, key_settings: KeySettings
    ) -> None:
        await written(log)
        event = Event(case_id=LOG_ITSELF, actor=ADMIN)
        event.customer_erased.key_ids.extend(await log.keys_of("cu-1"))
        event.customer_erased.why = WHY
        assert await log.note_erasure(Erasure("cu-1", "erase-1", "0" * 64, event))
        other = await open_log(log_url, key_settings)
        assert secrets_of(tuple(await other.events("INQ-1"))) == []
        assert (await other.events(LOG_ITSELF))[0].customer_erased.why == WHY
        await finish(other)
        assert len(await other.events(LOG_ITSELF)) == 1
        await other.close()

    # Keys that are not as they should be

    async def test_a_key_that_is_used_for_nothing_harms_nobody(self, log: Log, key_settings: KeySettings) -> None:
        keys = stores.open_keys(key_settings)
        keys.begin()
        unused = await keys.of("customer:cu-1")
        await keys.close()
        await written(log)
        assert (await log.rows())[0].dek_id == unused.key_id

    async def test_the_key_of_another_does_not_open_it(self, log: Log, change_keys: Callable[[str], None]) -> None:
        await written(log)
        await written(log, "INQ-2", customer="cu-2")
        log._keys.forget()  # type: ignore[attr-defined] # a new process would know nothing
        change_keys("UPDATE {0} SET wrapped = (SELECT wrapped FROM {0} WHERE subject_ref = 'customer:cu-2')")
        with pytest.raises(LogDamagedError, match="cannot be opened"):
            await log.events("INQ-1")

    async def test_a_key_that_was_lost_is_told_as_lost_and_not_as_erased(
        self, log: Log, change_keys: Callable[[str], None]
    ) -> None:
        await written(log)
        log._keys.forget()  # type: ignore[attr-defined] # a new process would know nothing
        change_keys("DELETE FROM {0}")
        with pytest.raises(LogDamagedError, match=r"the key .* is missing: restore the subjects' keys"):
            await log.read_case("INQ-1")
        assert {finding.reason for finding in (await log.verify()).findings} == {"KEY_MISSING"}

    async def test_what_its_own_key_does_not_open_is_found(self, log: Log) -> None:
        writer = await written(log, closed=False)
        other = Writer(log, "INQ-2")
        await other.write(opening(customer="cu-2"), key="open")
        keys = log._keys  # type: ignore[attr-defined] # as a fault of memory would have it
        keys._by_subject["customer:cu-1"] = keys._by_subject["customer:cu-2"]
        cipher = keys._by_id[(await log.keys_of("cu-2"))[0]].key.cipher
        key = keys._by_subject["customer:cu-1"]
        keys._by_subject["customer:cu-1"] = key._replace(
            key=key.key._replace(key_id=(await log.keys_of("cu-1"))[0], cipher=cipher)
        )
        await writer.write(note(SECRETS[2]), key="wrong")
        keys.forget()
        assert [finding.reason for finding in (await log.verify("INQ-1")).findings] == ["KEY_WRONG"]

    async def test_a_lost_file_of_keys_is_told_at_the_start(
        self, log: Log, log_url: str, key_settings: KeySettings
    ) -> None:
        await written(log)
        key_settings.kek.rename(key_settings.kek.with_name("elsewhere"))
        with pytest.raises(LogUnavailableError, match="kek is missing, and personal fields are encrypted with it"):
            await open_log(log_url, key_settings)

    async def test_the_file_of_another_log_is_told_at_the_start(
        self, log: Log, log_url: str, key_settings: KeySettings
    ) -> None:
        await written(log)
        key_settings.kek.write_text(f"casetrail-kek/v1 0123456789abcdef {'A' * 43}=\n")
        with pytest.raises(LogUnavailableError, match=r"is not in .*kek: restore that file"):
            await open_log(log_url, key_settings)

    async def test_a_file_that_others_can_read_is_refused(
        self, log: Log, log_url: str, key_settings: KeySettings
    ) -> None:
        await written(log)
        key_settings.kek.chmod(0o640)
        with pytest.raises(LogUnavailableError, match="can be read by others: `chmod 600"):
            await open_log(log_url, key_settings)

    async def test_lost_keys_are_told_at_the_start_and_not_begun_anew(
        self, log: Log, log_url: str, key_settings: KeySettings, lose_keys: Callable[[], None]
    ) -> None:
        await written(log)
        lose_keys()
        with pytest.raises(LogUnavailableError, match="has encrypted fields, and their keys are not in"):
            await open_log(log_url, key_settings)

    async def test_the_key_encryption_key_can_be_changed_while_others_run(
        self, log: Log, log_url: str, key_settings: KeySettings
    ) -> None:
        await written(log)
        old = key_settings.kek.read_text()
        keys = stores.open_keys(key_settings)
        keys.begin()
        assert keys.rotate() == 1
        await keys.close()
        assert key_settings.kek.read_text() != old
        assert key_settings.kek.stat().st_mode & 0o777 == 0o600
        await written(log, "INQ-2", customer="cu-2")  # a new key, by who began with the old file
        other = await open_log(log_url, key_settings)
        assert secrets_of(tuple(await other.events("INQ-1"))) == list(SECRETS)
        assert secrets_of(tuple(await other.events("INQ-2"))) == list(SECRETS)
        await other.close()

    async def test_a_batch_that_waits_for_its_key_while_the_log_is_closed_is_refused(self, log: Log) -> None:
        appending = asyncio.create_task(log.append(Writer(log, "INQ-1").batch(opening(), key="open")))
        await asyncio.sleep(0)
        await log.close()
        with pytest.raises(LogUnavailableError, match="is closed"):
            await asyncio.wait_for(appending, 5)

    async def test_several_who_change_the_key_encryption_key_at_once_lose_no_key(
        self, log: Log, log_url: str, key_settings: KeySettings
    ) -> None:
        await written(log)
        changing = [stores.open_keys(key_settings) for _ in range(6)]
        for keys in changing:
            keys.begin()
        assert await asyncio.gather(*(asyncio.to_thread(keys.rotate) for keys in changing)) == [1] * 6
        for keys in changing:
            await keys.close()
        assert len(key_settings.kek.read_text().splitlines()) == 1
        other = await open_log(log_url, key_settings)
        assert secrets_of(tuple(await other.events("INQ-1"))) == list(SECRETS)
        await other.close()

    async def test_a_log_from_before_encryption_is_read_and_goes_on_encrypted(
        self, bare_log: Log, log_url: str, key_settings: KeySettings, finds: Find
    ) -> None:
        writer = await written(bare_log, closed=False)
        assert await finds(SECRETS[2])
        log = await open_log(log_url, key_settings)
        writer.log = log
        await writer.write(note("a new secret"), CaseClosed(), key="later")
        assert secrets_of(tuple(await log.events("INQ-1"))) == list(SECRETS)
        assert (await log.verify()).findings == ()
        event = await erased(log)
        assert event.customer_erased.readable_events == 2
        assert (await log.events("INQ-1"))[2].erased
        assert (await log.verify()).findings == ()
        assert not await finds("a new secret")
        await log.close()

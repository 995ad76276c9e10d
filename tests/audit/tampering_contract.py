"""What is found on either database when somebody who may do everything has changed the log past its guards."""

from collections.abc import Callable, Sequence

import pytest

from audit.log import Log, LogDamagedError
from tests.audit.contract import everybody_hears_that_the_head_is_gone, opened, reasons, two_cases
from tests.audit.given import Writer, note, opening

Tamper = Callable[..., None]


class TamperingContract:
    """The module gives `log` and `tamper`, which runs statements past the guards.

    Attributes:
        BY_BOB: Makes one actor another in the envelope at position 3.
        REHASHED: Gives that envelope its own hash.
    """

    BY_BOB: str
    REHASHED: str

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ("UPDATE event SET pos = 9 WHERE pos = 7", ("GAP", 7)),
            ("UPDATE event SET case_id = 'INQ-3' WHERE pos = 6", ("COLUMN_CHANGED", 6)),
            ("UPDATE event SET seq = 9 WHERE pos = 6", ("COLUMN_CHANGED", 6)),
            ("UPDATE event SET key = 'r9' WHERE pos = 6", ("COLUMN_CHANGED", 6)),
            ("UPDATE event SET ordinal = 1 WHERE pos = 6", ("COLUMN_CHANGED", 6)),
            ("UPDATE event SET key = 'r1' WHERE pos = 4", ("COLUMN_CHANGED", 4)),
            ("UPDATE event SET recorded_at = recorded_at + 1 WHERE pos = 6", ("COLUMN_CHANGED", 6)),
            ("UPDATE event SET recorded_at = recorded_at - 1 WHERE pos = 6", ("TIME_BACKWARDS", 6)),
            ("UPDATE event SET dek_id = 'k1' WHERE pos = 3", ("COLUMN_CHANGED", 3)),
            ("UPDATE event SET payload = NULL WHERE pos = 3", ("PAYLOAD_MISSING", 3)),
            ("DELETE FROM event WHERE pos = 1", ("GAP", 1)),
            ("DELETE FROM event WHERE pos = 4", ("GAP", 4)),
            ("DELETE FROM event WHERE pos = 7", ("HEAD_WRONG", 7)),
            ("UPDATE log_head SET size = 6", ("HEAD_WRONG", 7)),
            ("UPDATE log_head SET size = 9", ("HEAD_WRONG", 8)),
            ("UPDATE log_head SET log = 'another'", ("OTHER_LOG", 1)),
            ("UPDATE case_index SET owner = 'bob' WHERE case_id = 'INQ-1'", ("PROJECTION_DIFFERS", 6)),
            ("UPDATE case_index SET live = 0 WHERE case_id = 'INQ-1'", ("PROJECTION_DIFFERS", 6)),
            ("UPDATE case_index SET seq = 3 WHERE case_id = 'INQ-1'", ("PROJECTION_DIFFERS", 6)),
            ("UPDATE case_index SET opened = 9 WHERE case_id = 'INQ-1'", ("PROJECTION_DIFFERS", 6)),
            ("UPDATE case_index SET case_id = 'INQ-0' WHERE case_id = 'INQ-1'", ("PROJECTION_DIFFERS", 1)),
            ("DELETE FROM case_index WHERE case_id = 'INQ-2'", ("PROJECTION_DIFFERS", 7)),
        ],
    )
    async def test_what_was_changed_is_found_where_it_is(
        self, log: Log, tamper: Tamper, change: str, expected: tuple[str, int]
    ) -> None:
        await is_found(log, tamper, change, expected)

    async def test_an_envelope_that_was_changed_has_not_its_hash(self, log: Log, tamper: Tamper) -> None:
        await is_found(log, tamper, self.BY_BOB, ("HASH_WRONG", 3))

    async def test_an_event_rewritten_with_a_fresh_hash_breaks_the_chain(self, log: Log, tamper: Tamper) -> None:
        await two_cases(log)
        tamper(self.BY_BOB, self.REHASHED)
        assert await _found(log, "INQ-1") == [("CHAIN_BROKEN", 4)]

    async def test_the_last_event_rewritten_with_a_fresh_hash_is_known_to_the_projection(
        self, log: Log, tamper: Tamper
    ) -> None:
        await two_cases(log)
        tamper(*(statement.replace("pos = 3", "pos = 7") for statement in (self.BY_BOB, self.REHASHED)))
        assert await _found(log, "INQ-2") == [("PROJECTION_DIFFERS", 7)]

    async def test_two_events_that_changed_places_are_found(self, log: Log, tamper: Tamper) -> None:
        await two_cases(log)
        tamper(
            "UPDATE event SET pos = 99 WHERE pos = 3",
            "UPDATE event SET pos = 3 WHERE pos = 4",
            "UPDATE event SET pos = 4 WHERE pos = 99",
        )
        # … and at the end the tree, which is over all of them in their order.
        assert {position for _, position in await _found(log)} == {3, 4, 7}

    async def test_an_event_that_is_gone_is_told_of_once_however_many_its_request_brought(
        self, log: Log, tamper: Tamper
    ) -> None:
        await (await opened(log, "INQ-1")).write(*[note() for _ in range(50)], key="r1")
        tamper("DELETE FROM event WHERE pos = 20")
        found = await _found(log)
        assert [each for each in found if each[0] == "COLUMN_CHANGED"] == [("COLUMN_CHANGED", 21)]
        assert {("GAP", 20), ("SEQ_WRONG", 21), ("CHAIN_BROKEN", 21)} < set(found)

    async def test_an_event_that_does_not_fit_its_caseis_found_and_stops_no_verification(self, log: Log) -> None:
        writer = Writer(log, "INQ-1")
        await writer.write(opening(), key="open")
        batch = writer.batch(note(), key="r1")
        batch.events[0].clock_met.clock.clock_id = "no_such_clock#1"
        await log.append(batch)
        assert ("FOLD_FAILED", 2) in await _found(log)

    async def test_a_damaged_row_stops_no_other_case_and_says_what_to_do(self, log: Log, tamper: Tamper) -> None:
        await two_cases(log)
        tamper("UPDATE event SET payload = NULL WHERE pos = 3")
        with pytest.raises(LogDamagedError, match=r"position 3 .* payload is gone; run `casetrail-db verify`"):
            await log.events("INQ-1")
        assert len(await log.events("INQ-2")) == 3

    async def test_a_head_that_was_set_back_stops_all_writing(self, log: Log, tamper: Tamper) -> None:
        await two_cases(log)
        tamper("UPDATE log_head SET size = 3")
        with pytest.raises(LogDamagedError, match="run `casetrail-db verify`"):
            await log.append(Writer(log, "INQ-3").batch(opening(), key="open"))
        assert [reason for reason, _ in await _found(log)] == ["HEAD_WRONG"]

    async def test_a_head_that_was_deleted_is_damage_to_whoever_asks(self, log: Log, tamper: Tamper) -> None:
        await two_cases(log)
        tamper("DELETE FROM log_head")
        await everybody_hears_that_the_head_is_gone(log)


async def is_found(log: Log, tamper: Tamper, change: str, expected: tuple[str, int]) -> None:
    await two_cases(log)
    assert (await log.verify()).findings == ()
    tamper(change)
    findings = (await log.verify()).findings
    assert expected in reasons(findings), findings
    assert all(finding.message for finding in findings)


async def _found(log: Log, case_id: str = "") -> Sequence[tuple[str, int]]:
    return reasons((await log.verify(case_id)).findings)

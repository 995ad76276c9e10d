"""What the table of archived cases says holds only as far as the log's own events say the same."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from audit.archived import Archived
from audit.envelope import Place, StoredEvent, drafts_of, seal
from audit.log import LOG_ITSELF, ArchivedCase
from audit.sealing import seal_root
from casetrail.v1.event_pb2 import (
    ArchiveApproved,
    ArchiveProposed,
    ArchiveWithdrawn,
    CaseRestored,
    CasesArchived,
    Event,
    LogSealed,
)
from casetrail.v1.types_pb2 import Actor
from tests.audit.given import NOON, digest

Body = ArchiveProposed | ArchiveApproved | ArchiveWithdrawn | CaseRestored | CasesArchived | LogSealed

A1, REMOVED, BACK = "archive-1", 9, 12
ONE = ArchivedCase(A1, "INQ-1", 1, 3, b"\x01" * 32, REMOVED)
TWO = ArchivedCase(A1, "INQ-2", 4, 2, b"\x02" * 32, REMOVED)
ROOT = seal_root([ONE.end, TWO.end]).hex()
OTHER = "ab" * 32

PROPOSED = ("anna", ArchiveProposed(archive_id=A1, cases=2, root=ROOT))
APPROVED = ("boris", ArchiveApproved(archive_id=A1, cases=2, root=ROOT))
CARRIED_OUT = ("boris", CasesArchived(archive_id=A1, cases=2, root=ROOT))
WITHDRAWN = ("anna", ArchiveWithdrawn(archive_id=A1, why="not this one"))
RESTORED = ("anna", CaseRestored(archive_id=A1, restored_case_id="INQ-1"))

Said = tuple[str, Body]


def row(position: int, said: Said, case_id: str = LOG_ITSELF) -> StoredEvent:
    actor, body = said
    event = Event(case_id=case_id, key=f"k{position}", actor=Actor(name=actor))
    event.at.seconds = NOON
    field = next(
        each for each in Event.DESCRIPTOR.oneofs_by_name["body"].fields if each.message_type is body.DESCRIPTOR
    )
    getattr(event, field.name).CopyFrom(body)
    (draft,) = drafts_of([event], key=event.key, digest=digest("r"))
    return seal(draft, Place(log="l1", position=position, seq=position, previous=b"\x01" * 32, recorded_at=NOON))


def faults(cases: Sequence[ArchivedCase], *rows: StoredEvent) -> list[tuple[int, str]]:
    archived = Archived(cases)
    for each in rows:
        archived.read(each)
    return list(archived.faults())


def agreed(
    *, proposed: Said | None = PROPOSED, approved: Said | None = APPROVED, carried_out: Said | None = CARRIED_OUT
) -> list[StoredEvent]:
    places = ((7, proposed), (8, approved), (REMOVED, carried_out))
    return [row(position, said) for position, said in places if said is not None]


def test_what_one_proposed_and_another_approved_is_archived() -> None:
    assert faults([ONE, TWO], *agreed()) == []
    assert faults([TWO, ONE], *agreed(), row(10, ("eve", LogSealed(day="2026-11-22")))) == []
    assert faults([]) == []


@pytest.mark.parametrize(
    ("cases", "rows", "words"),
    [
        ([ONE, TWO], agreed(proposed=None), "not proposed by one and approved by another"),
        ([ONE, TWO], agreed(approved=None), "not proposed by one and approved by another"),
        ([ONE, TWO], agreed(approved=("anna", APPROVED[1])), "not proposed by one and approved by another"),
        (
            [ONE, TWO],
            agreed(proposed=("anna", ArchiveProposed(archive_id=A1, cases=2, root=OTHER))),
            "not proposed by one and approved by another",
        ),
        (
            [ONE, TWO],
            agreed(approved=("boris", ArchiveApproved(archive_id=A1, cases=2, root=OTHER))),
            "not proposed by one and approved by another",
        ),
        ([ONE, TWO], agreed(carried_out=None), "no event says that 2 cases were archived, INQ-1 among them"),
        ([ONE], agreed(), "are not those that were approved"),
        ([ONE, replace(TWO, seq=3)], agreed(), "are not those that were approved"),
        ([ONE, replace(TWO, leaf_hash=b"\x03" * 32)], agreed(), "are not those that were approved"),
        (
            [ONE, TWO],
            agreed(carried_out=("boris", CasesArchived(archive_id=A1, cases=3, root=ROOT))),
            "are not those that were approved",
        ),
        ([ONE, replace(TWO, archive_id="archive-2")], agreed(), "noted as archived elsewhere"),
        ([], agreed(), "2 cases went into archive-1, and none is noted so"),
        ([ONE, TWO], [*agreed(), row(11, WITHDRAWN)], "was withdrawn, and carried out all the same"),
    ],
)
def test_what_does_not_hold_is_named_at_the_removal(
    cases: list[ArchivedCase], rows: list[StoredEvent], words: str
) -> None:
    [(position, said)] = faults(cases, *rows)
    assert position == REMOVED
    assert words in said


@pytest.mark.parametrize(
    ("restored", "said", "words"),
    [
        (BACK, RESTORED, ""),
        (BACK, None, "no event says that INQ-1 was restored"),
        (
            BACK,
            ("anna", CaseRestored(archive_id=A1, restored_case_id="INQ-2")),
            "no event says that INQ-1 was restored",
        ),
        (
            BACK,
            ("anna", CaseRestored(archive_id="x", restored_case_id="INQ-1")),
            "no event says that INQ-1 was restored",
        ),
        (None, RESTORED, "INQ-1 was restored, and it is not noted as such"),
    ],
)
def test_a_case_is_back_when_table_and_log_say_so(restored: int | None, said: Said | None, words: str) -> None:
    rows = [*agreed(), *([row(BACK, said)] if said else [])]
    found = faults([replace(ONE, restored=restored), TWO], *rows)
    assert [position for position, _ in found] == ([BACK] if words else [])
    assert all(words in said for _, said in found)


def test_only_the_logs_own_events_say_what_was_archived() -> None:
    rows = [*agreed(carried_out=None), row(REMOVED, CARRIED_OUT, case_id="INQ-7")]
    assert [words for _, words in faults([ONE, TWO], *rows)] == [
        "no event says that 2 cases were archived, INQ-1 among them"
    ]


def test_an_archive_alone_has_what_is_not_back() -> None:
    archived = Archived([ONE, replace(TWO, restored=BACK)])
    assert [archived.holds(case_id) for case_id in ("INQ-1", "INQ-2", "INQ-3")] == [True, False, False]


def test_a_case_ends_in_the_archive_as_it_did_when_it_was_archived() -> None:
    last = row(3, PROPOSED, case_id="INQ-1")._replace(seq=3)
    archived = Archived([replace(ONE, leaf_hash=last.leaf_hash)])
    assert archived.is_right(1, last)
    assert not archived.is_right(2, last)
    assert not archived.is_right(1, last._replace(seq=4))
    assert not archived.is_right(1, last._replace(envelope=last.envelope + b" "))

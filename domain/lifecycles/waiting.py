"""Waiting for somebody, and what that does to the clocks."""

from casetrail.v1.case_pb2 import Waiting
from casetrail.v1.command_pb2 import Resume, Wait
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import WaitEnded, WaitStarted
from casetrail.v1.types_pb2 import Cause
from domain import clocks
from domain.draft import Draft
from domain.instants import timestamp
from domain.refusal import Rejected


def wait(draft: Draft, command: Wait) -> None:
    """Wait for the customer, a vendor, a carrier or a department; clocks that this stops stand meanwhile."""
    now = draft.case.waiting
    if draft.case.HasField("waiting"):
        if (now.cause, now.party) == (command.cause, command.party):
            raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{draft.case.case_id} waits for them already")
        end(draft, "waits for somebody else now")
    waiting = Waiting(cause=command.cause, since=timestamp(draft.at), party=command.party)
    if command.HasField("at_most"):
        waiting.until.seconds = draft.at + max(1, command.at_most.seconds)
    draft.add(WaitStarted(waiting=waiting, why=command.why))
    apply_rules(draft)


def resume(draft: Draft, command: Resume) -> None:
    """The wait is over."""
    if not draft.case.HasField("waiting"):
        raise Rejected(RefusalReason.REFUSAL_REASON_NOTHING_TO_DO, f"{draft.case.case_id} waits for nobody")
    end(draft, command.why)


def time_is_up(draft: Draft) -> None:
    """A wait has lasted as long as it was meant to at most."""
    end(draft, "waited as long as agreed")


def end(draft: Draft, why: str) -> None:
    """End the wait, if there is one, and let the clocks count on."""
    if not draft.case.HasField("waiting"):
        return
    cause = draft.case.waiting.cause
    draft.add(WaitEnded(cause=cause, why=why))
    apply_rules(draft)


def apply_rules(draft: Draft) -> None:
    """Let every clock stand, or count, as its rules now ask for in the wait that there is."""
    waits_for = draft.case.waiting.cause
    for clock in clocks.open_clocks(draft.case):
        cause = waits_for if waits_for in clock.pauses_for else Cause.CAUSE_UNSPECIFIED
        if clock.pause_cause == cause:
            continue
        if not clocks.running(clock):
            draft.add(clocks.resumed(clock, draft.at, draft.rules))
        if cause:
            draft.add(clocks.paused(clock, draft.at, cause, draft.rules))

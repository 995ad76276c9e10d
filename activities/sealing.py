"""The daily seal, for its workflow."""

from datetime import date

from temporalio import activity
from temporalio.exceptions import ApplicationError

from audit.log import Log
from audit.sealing import seal
from casetrail.v1.workflow_pb2 import SealRun, SealStep


class Sealing:
    """Seals days in the log."""

    def __init__(self, log: Log) -> None:
        """Work on a log."""
        self._log = log

    @activity.defn
    async def seal_day(self, run: SealRun) -> SealStep:
        """Seal a day; one that is sealed stays as it is."""
        try:
            day = date.fromisoformat(run.day)
        except ValueError as error:
            raise ApplicationError(f"{run.day!r} is no day", type="INVALID", non_retryable=True) from error
        event = await seal(self._log, day)
        return SealStep(position=event.position, size=event.log_sealed.size, cases=event.log_sealed.cases)

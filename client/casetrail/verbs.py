"""The common commands as methods. Every other one is `execute` with its action."""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Unpack

from casetrail.commands import Action, How, words
from casetrail.v1 import command_pb2 as c
from casetrail.v1.case_service_pb2 import ExecuteResponse
from casetrail.v1.types_pb2 import Attachment, Cause, Remedy, RemedyKind
from casetrail.words import CauseWord, RemedyWord, value_of


class Verbs(ABC):
    """What one does with a case, each carried out by `execute`."""

    @abstractmethod
    async def execute(self, case_id: str, action: Action, **how: Unpack[How]) -> ExecuteResponse:
        """Carry out a command."""

    async def assign(self, case_id: str, to: str, team: str = "", **how: Unpack[How]) -> ExecuteResponse:
        """Give the case to a person."""
        return await self.execute(case_id, c.Assign(to=to, team=team), **how)

    async def transfer(
        self, case_id: str, *, to: str = "", team: str = "", why: str, **how: Unpack[How]
    ) -> ExecuteResponse:
        """Hand the case on to a person, a team, or both."""
        return await self.execute(case_id, c.Transfer(to=to, team=team, why=why), **how)

    async def accept(self, case_id: str, text: str = "", **how: Unpack[How]) -> ExecuteResponse:
        """Take a complaint or a return on; the customer is told so."""
        return await self.execute(case_id, c.Accept(words=words(text)), **how)

    async def reply(
        self, case_id: str, text: str, attachments: tuple[Attachment, ...] = (), **how: Unpack[How]
    ) -> ExecuteResponse:
        """Answer the customer."""
        return await self.execute(case_id, c.Reply(words=words(text, attachments)), **how)

    async def message(
        self, case_id: str, text: str, attachments: tuple[Attachment, ...] = (), **how: Unpack[How]
    ) -> ExecuteResponse:
        """Record what the customer wrote or said."""
        return await self.execute(case_id, c.ReceiveMessage(words=words(text, attachments)), **how)

    async def note(
        self, case_id: str, text: str, attachments: tuple[Attachment, ...] = (), **how: Unpack[How]
    ) -> ExecuteResponse:
        """Keep something that the customer does not see."""
        return await self.execute(case_id, c.AddNote(words=words(text, attachments)), **how)

    async def wait(
        self,
        case_id: str,
        cause: CauseWord,
        *,
        party: str = "",
        why: str = "",
        at_most: timedelta | None = None,
        **how: Unpack[How],
    ) -> ExecuteResponse:
        """Wait for somebody; the clocks that the policy says stop. `at_most` is in case time."""
        wait = c.Wait(cause=value_of(Cause, cause), party=party, why=why)
        if at_most is not None:
            wait.at_most.FromTimedelta(at_most)
        return await self.execute(case_id, wait, **how)

    async def resume(self, case_id: str, why: str = "", **how: Unpack[How]) -> ExecuteResponse:
        """End a wait."""
        return await self.execute(case_id, c.Resume(why=why), **how)

    async def propose(
        self,
        case_id: str,
        remedy: RemedyWord,
        *,
        amount_minor: int = 0,
        currency: str = "",
        text: str = "",
        **how: Unpack[How],
    ) -> ExecuteResponse:
        """Propose a settlement to the customer. The amount is in minor units (fen, cent)."""
        proposed = Remedy(kind=value_of(RemedyKind, remedy), amount_minor=amount_minor, currency=currency)
        return await self.execute(case_id, c.Propose(remedy=proposed, words=words(text)), **how)

    async def agree(self, case_id: str, **how: Unpack[How]) -> ExecuteResponse:
        """The customer agrees to what was proposed."""
        return await self.execute(case_id, c.Agree(), **how)

    async def resolve(self, case_id: str, text: str = "", solution: str = "", **how: Unpack[How]) -> ExecuteResponse:
        """The problem is solved; the customer is told so."""
        return await self.execute(case_id, c.Resolve(words=words(text), solution=solution), **how)

    async def confirm(
        self, case_id: str, *, satisfied: bool | None = None, text: str = "", **how: Unpack[How]
    ) -> ExecuteResponse:
        """The customer confirms; with `satisfied` the survey is answered too."""
        return await self.execute(case_id, c.Confirm(satisfied=satisfied, words=words(text)), **how)

    async def rate(
        self, case_id: str, *, satisfied: bool, score: int = 0, text: str = "", **how: Unpack[How]
    ) -> ExecuteResponse:
        """The customer answers the survey. The score is 1 to 5, 0 for none."""
        return await self.execute(case_id, c.Rate(satisfied=satisfied, score=score, words=words(text)), **how)

    async def reopen(self, case_id: str, why: str, **how: Unpack[How]) -> ExecuteResponse:
        """Begin another round of treatment."""
        return await self.execute(case_id, c.Reopen(why=why), **how)

    async def withdraw(self, case_id: str, why: str = "", **how: Unpack[How]) -> ExecuteResponse:
        """The customer withdraws the matter."""
        return await self.execute(case_id, c.Withdraw(why=why), **how)

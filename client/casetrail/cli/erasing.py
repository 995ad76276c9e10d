"""The command that makes a customer's personal data unreadable."""

from typing import Annotated

import typer

from casetrail.cli import output
from casetrail.cli.terms import KeepTerms, RequestId, call, spread
from casetrail.counting import counted


@spread
def erase(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="As the cases name the customer.")],
    *,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Kept for ever: say nothing personal.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: there is no way back.")] = False,
    request_id: RequestId = "",
    terms: KeepTerms,
) -> None:
    """Erase a customer's personal data for ever, in the log, its backups and its exports. Proofs stay valid.

    Only when no case of the customer is open, and only by an administrator.
    """
    if not yes:
        question = f"Nobody will be able to read the personal data of {customer} any more. Erase it?"
        typer.confirm(question, abort=True, err=True)
    erased = call(terms, lambda client: client.erase_customer(customer, why=why, request_id=request_id))
    if terms.as_json:
        output.print_json(erased)
        return
    cases = counted(erased.cases, "case")
    typer.echo(f"The personal data of {customer} in {cases} is erased; event {erased.position:,} says so.")
    if erased.readable_events:
        typer.echo(
            f"{counted(erased.readable_events, 'event')} from before personal fields were encrypted: "
            "what is written there stays readable."
        )

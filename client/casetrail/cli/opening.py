"""`casetrail open`: begin a case."""

from typing import Annotated

import typer

from casetrail.cli import options, output
from casetrail.cli.terms import WriteTerms, call, spread
from casetrail.v1.case_pb2 import Customer
from casetrail.words import ChannelWord, ItemStateWord, KindWord, PriorityWord, RemedyWord, ReturnReasonWord


@spread
def open_case(
    kind: Annotated[KindWord, typer.Argument(help="Which lifecycle.")],
    *,
    customer: Annotated[str, typer.Option(metavar="ID", help="The customer's reference in your system.")],
    channel: Annotated[ChannelWord, typer.Option(help="How the customer came.")] = "web",
    subject: Annotated[str, typer.Option(help="One line; the beginning of --text when left out.")] = "",
    text: options.Text = "",
    attach: options.Attach = None,
    category: Annotated[str, typer.Option(help="order, product, logistics, …: the policy's words.")] = "",
    priority: Annotated[PriorityWord | None, typer.Option(help="The policy decides when left out.")] = None,
    order: Annotated[str, typer.Option(metavar="ID", help="The shop's order; a return needs one.")] = "",
    product: Annotated[str, typer.Option(metavar="ID", help="The shop's product.")] = "",
    email: Annotated[str, typer.Option(help="Where notices to the customer go.")] = "",
    name: Annotated[str, typer.Option(help="The customer's name.")] = "",
    phone: Annotated[str, typer.Option(help="The customer's telephone number.")] = "",
    locale: Annotated[str, typer.Option(help="The language of notices, for example zh-CN.")] = "",
    region: Annotated[str, typer.Option(help="Picks the calendar where the policy has several.")] = "",
    parcel: options.ParcelOption = None,
    item: options.Items = None,
    reason: Annotated[ReturnReasonWord | None, typer.Option(help="Why it comes back.")] = None,
    item_state: Annotated[
        ItemStateWord | None, typer.Option(help="How it is; `opened` when left out.", show_default=False)
    ] = None,
    want: Annotated[RemedyWord | None, typer.Option(help="What the customer of a return wants.")] = None,
    instead: options.Sku = None,
    amount: options.Amount = "",
    currency: Annotated[str, typer.Option(metavar="CODE", help="ISO 4217; --amount needs it.")] = "",
    scale: options.Scale = 0,
    silent: Annotated[bool, typer.Option("--silent", help="Write to nobody, bill nothing.")] = False,
    terms: WriteTerms,
) -> None:
    """Open a case.

    For a return: --order, --item, --reason, --want, and what goes with them.
    """
    first_line = subject or text.strip().partition("\n")[0]
    if not first_line:
        raise typer.BadParameter("say what it is about, with --subject or --text")
    if amount and not currency:
        raise typer.BadParameter("say which currency is meant: --amount needs it", param_hint="--currency")
    wanted = options.remedy(want, amount, currency, instead) if want else None
    request = options.return_request(item, reason, item_state, wanted)
    if kind == "return" and not (request and order):
        raise typer.BadParameter("a return needs --order, --item, --reason and --want")
    opened = call(
        terms,
        lambda client: client.open(
            kind=kind,
            customer=Customer(customer_id=customer, name=name, email=email, phone=phone, locale=locale, region=region),
            channel=channel,
            subject=first_line[:500],
            text=text,
            attachments=attach or (),
            category=category,
            priority=priority,
            order_id=order,
            product_id=product,
            return_request=request,
            parcel=parcel,
            scale=scale,
            silent=silent,
            request_id=terms.request_id,
            actor=terms.acting,
        ),
    )
    if terms.as_json:
        output.print_json(opened)
    else:
        output.print_written(opened.case, opened.events)

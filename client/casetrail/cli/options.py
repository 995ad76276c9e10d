"""Options that several commands have, and how their values are read."""

import hashlib
import mimetypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from casetrail import short_forms
from casetrail.commands import words
from casetrail.money import parse_amount
from casetrail.v1.command_pb2 import ParcelReference, ReturnRequest
from casetrail.v1.types_pb2 import Attachment, ItemState, Remedy, RemedyKind, ReturnItem, ReturnReason, Words
from casetrail.words import Enum, ItemStateWord, RemedyWord, ReturnReasonWord, value_of

_DIGEST = re.compile(r"(?P<uri>.+)#sha256=(?P<sha256>[0-9a-f]{64})")


def duration(text: str) -> Duration:
    """Read 90s, 15m, 2h, 1d or 1h30m."""
    try:
        return short_forms.duration(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from None


def moment(text: str) -> Timestamp:
    """Read 2026-06-18T08:00:00+08:00, or 2026-06-18 for its beginning in UTC."""
    try:
        return short_forms.timestamp(text if "T" in text else f"{text}T00:00:00+00:00")
    except ValueError:
        raise typer.BadParameter(
            f"'{text}' is no instant: write 2026-06-18T08:00:00+08:00, or 2026-06-18 for its beginning in UTC"
        ) from None


def attachment(text: str) -> Attachment:
    """Read a file of this machine, whose digest is taken, or URI#sha256=DIGEST."""
    if known := _DIGEST.fullmatch(text):
        return Attachment(
            uri=known["uri"], sha256=known["sha256"], media_type=mimetypes.guess_type(known["uri"])[0] or ""
        )
    file = Path(text)
    try:
        with file.open("rb") as evidence:
            digest = hashlib.file_digest(evidence, "sha256").hexdigest()
    except OSError as wrong:
        raise typer.BadParameter(
            f"'{text}' is neither a file that can be read ({wrong.strerror}) nor URI#sha256=DIGEST"
        ) from None
    return Attachment(uri=file.resolve().as_uri(), sha256=digest, media_type=mimetypes.guess_type(text)[0] or "")


def parcel(text: str) -> ParcelReference:
    """Read CARRIER:NUMBER."""
    carrier, colon, number = text.partition(":")
    if not (carrier and colon and number):
        raise typer.BadParameter(f"'{text}' is not CARRIER:NUMBER, for example sf:SF1234567890")
    return ParcelReference(carrier=carrier, tracking_no=number)


def item(text: str) -> ReturnItem:
    """Read SKU or SKU:QUANTITY."""
    sku, colon, quantity = text.rpartition(":")
    if not colon:
        return ReturnItem(sku=text, quantity=1)
    if not sku or not quantity.isdecimal() or not int(quantity):
        raise typer.BadParameter(f"'{text}' is not SKU or SKU:QUANTITY, for example MUG-01:2")
    return ReturnItem(sku=sku, quantity=int(quantity))


def word_of_enum(enum: Enum[int]) -> Callable[[str], str]:
    """A reader of one of an enum's words, for options that take several."""

    def word(text: str) -> str:
        try:
            value_of(enum, text)
        except ValueError as wrong:
            raise typer.BadParameter(str(wrong)) from None
        return text

    return word


Text = Annotated[str, typer.Option(metavar="TEXT", help="What was said or written.")]
Attach = Annotated[
    list[Attachment] | None,
    typer.Option(parser=attachment, metavar="FILE", help="Evidence: a file, or URI#sha256=DIGEST."),
]
Why = Annotated[str, typer.Option(metavar="TEXT", help="The reason.")]
Span = Annotated[Duration | None, typer.Option(parser=duration, metavar="SPAN", help="For example 90s, 2h, 3d.")]
From = Annotated[Timestamp | None, typer.Option("--from", parser=moment, metavar="TIME", help="Only from then on.")]
To = Annotated[Timestamp | None, typer.Option("--to", parser=moment, metavar="TIME", help="Only before then.")]
Scale = Annotated[float, typer.Option(min=0, metavar="N", help="Case seconds per real second; 0 is real time.")]
LocaleWord = Literal["en", "zh-CN"]
Html = Annotated[bool, typer.Option("--html", help="A page with pictures, instead of Markdown.")]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there instead of printing it.")]
ParcelOption = Annotated[
    ParcelReference | None, typer.Option(parser=parcel, metavar="CARRIER:NUMBER", help="A parcel.")
]
Items = Annotated[
    list[ReturnItem] | None, typer.Option("--item", parser=item, metavar="SKU[:QUANTITY]", help="What comes back.")
]
Amount = Annotated[str, typer.Option(metavar="AMOUNT", help="For example 100.00; in --currency.")]
Currency = Annotated[
    str, typer.Option(metavar="CODE", help="ISO 4217; the order's when left out, if that is known and has two digits.")
]
Sku = Annotated[ReturnItem | None, typer.Option(parser=item, metavar="SKU[:QUANTITY]", help="What is sent instead.")]


def check_span(since: Timestamp | None, before: Timestamp | None) -> None:
    """Make sure that there is time between --from and --to.

    Raises:
        typer.BadParameter: There is none: nothing could ever fit.
    """
    if since and before and before.seconds <= since.seconds:
        raise typer.BadParameter("it must be later than --from", param_hint="--to")


def said(text: str, attachments: list[Attachment] | None) -> Words | None:
    """Words as a command carries them."""
    return words(text, tuple(attachments or ()))


def remedy(kind: RemedyWord, amount: str, currency: str, instead: ReturnItem | None, text: str = "") -> Remedy:
    """A remedy from its options."""
    try:
        minor = parse_amount(amount, currency) if amount else 0
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint="--amount") from None
    return Remedy(
        kind=value_of(RemedyKind, kind),
        amount_minor=minor,
        currency=currency,
        sku=instead.sku if instead else "",
        quantity=instead.quantity if instead else 0,
        text=text,
    )


def return_request(
    items: list[ReturnItem] | None,
    reason: ReturnReasonWord | None,
    item_state: ItemStateWord | None,
    wanted: Remedy | None,
) -> ReturnRequest | None:
    """What a return asks for, or None when none of its options is given."""
    if not (items or reason or item_state or wanted):
        return None
    for given, option in ((items, "--item"), (reason, "--reason"), (wanted, "--want")):
        if not given:
            raise typer.BadParameter("a return needs it", param_hint=option)
    return ReturnRequest(
        items=items,
        reason=value_of(ReturnReason, reason or ""),
        item_state=value_of(ItemState, item_state or "opened"),
        wanted=wanted,
    )

"""What every request is checked for, whatever its method."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldOptions
from google.protobuf.message import Message

from buf.validate.validate_pb2 import FieldRules
from buf.validate.validate_pb2 import field as rules_of
from casetrail.v1.audit_service_pb2 import EraseCustomerRequest
from casetrail.v1.case_service_pb2 import ExecuteRequest, ListCasesRequest, OpenCaseRequest
from casetrail.v1.command_pb2 import Command
from casetrail.v1.drill_service_pb2 import AbortDrillRequest, RemarkDrillRequest
from casetrail.v1.incident_service_pb2 import DeclareIncidentRequest
from casetrail.v1.retention_service_pb2 import WithdrawArchiveRequest
from casetrail.v1.rules_pb2 import says_something
from casetrail.v1.types_pb2 import Attachment, Channel, Kind, Words
from server.errors import InvalidRequest, Violation
from server.validation import read
from tests.asked import command, opening

# Texts that a command must have, and that name what must be known already.
NAMES = {"article", "carrier", "case_id", "effect_id", "into_case_id", "policy_id", "sku", "tracking_no", "uri"}
OTHERS = {"MessageInject.to", "ImportRow.raw", "Customer.customer_id"}


def request(**texts: str) -> OpenCaseRequest:
    opening = OpenCaseRequest(request_id="r-1")
    opening.open.kind = Kind.KIND_INQUIRY
    opening.open.channel = Channel.CHANNEL_CHAT
    opening.open.customer.customer_id = texts.get("customer", "cu-1")
    opening.open.subject = texts.get("subject", "Where is it?")
    return opening


def test_a_text_with_a_zero_character_is_refused_on_every_database() -> None:
    assert read(OpenCaseRequest, request().SerializeToString()) == request()
    for where, text in (("subject", "a\0b"), ("customer", "\0")):
        with pytest.raises(InvalidRequest) as refused:
            read(OpenCaseRequest, request(**{where: text}).SerializeToString())
        assert where in str(refused.value.violations[0])
    declaring = DeclareIncidentRequest(request_id="r-1", subject="down")
    for inputs in ({"payments": "4\0"}, {"pay\0ments": "40%"}):
        declaring.incident.inputs.clear()
        declaring.incident.inputs.update(inputs)
        with pytest.raises(InvalidRequest) as refused:
            read(DeclareIncidentRequest, declaring.SerializeToString())
        assert [violation.field for violation in refused.value.violations] == ["incident.inputs"]
    words = Words(
        text="Look", attachments=[Attachment(uri=uri, sha256="0" * 64) for uri in ("file:///a", "file:///a\0")]
    )
    with pytest.raises(InvalidRequest) as refused:
        read(ExecuteRequest, executing("reply", words).SerializeToString())
    assert [violation.field for violation in refused.value.violations] == ["command.reply.words.attachments.uri"]
    listing = ListCasesRequest()
    listing.filter.order_id = "o\0"
    with pytest.raises(InvalidRequest):
        read(ListCasesRequest, listing.SerializeToString())


@pytest.mark.parametrize("blank", ["   ", "\t\n", "\u3000", "\xa0", "\u200b\ufeff"])
def test_a_text_of_only_white_space_says_nothing(blank: str) -> None:
    for given, field in (
        (command("INQ-1", reply={"words": {"text": blank}}), "reply.words.text"),
        (command("INQ-1", accept={"words": {"text": blank}}), "accept.words.text"),
        (command("INQ-1", reopen={"why": blank}), "reopen.why"),
        (command("INC-1", draft_notice={"text": blank, "audience": "all"}), "draft_notice.text"),
        (opening(subject=blank), "open.subject"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            read(ExecuteRequest, ExecuteRequest(command=given).SerializeToString())
        (violation,) = refused.value.violations
        assert violation == Violation(f"command.{field}", "must not be only white space")


@pytest.mark.parametrize(
    "request_",
    [
        AbortDrillRequest(why=" "),
        DeclareIncidentRequest(subject="\u3000"),
        EraseCustomerRequest(why=" "),
        RemarkDrillRequest(problem=" "),
        RemarkDrillRequest(),
        WithdrawArchiveRequest(why=" "),
    ],
)
def test_so_it_is_in_every_call_that_says_why(request_: Message) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(type(request_), request_.SerializeToString())
    said = {violation.description for violation in refused.value.violations}
    assert said & {
        "must not be only white space",
        "say what happened",
        "name a problem, an improvement, or both",
    }


@pytest.mark.parametrize(
    "action", ["reply", "receive_message", "note", "record_finding", "answer_dissatisfaction", "review_dissatisfaction"]
)
def test_what_consists_of_words_has_some(action: str) -> None:
    without = executing(action, Words())
    with pytest.raises(InvalidRequest) as refused:
        read(ExecuteRequest, without.SerializeToString())
    (violation,) = refused.value.violations
    assert violation == Violation(f"command.{action}.words", "say something: text, attachments, or both")
    picture = executing(action, Words(attachments=[Attachment(uri="file:///kettle.jpg", sha256="0" * 64)]))
    assert read(ExecuteRequest, picture.SerializeToString()) == picture


def executing(action: str, words: Words) -> ExecuteRequest:
    request = ExecuteRequest(command=command("INQ-1"))
    getattr(request.command, action).words.CopyFrom(words)
    return request


def test_no_text_that_a_command_must_have_is_left_out() -> None:
    left_out = {
        f"{kind.name}.{field.name}"
        for kind, field in texts(Command.DESCRIPTOR, set())
        if (rules := options(field).string).min_len and not rules.Extensions[says_something]
    }
    assert {name for name in left_out if name.partition(".")[2] not in NAMES} == OTHERS


def options(field: FieldDescriptor) -> FieldRules:
    of_field: FieldOptions = field.GetOptions()
    return of_field.Extensions[rules_of]


def texts(kind: Descriptor, seen: set[str]) -> Iterator[tuple[Descriptor, FieldDescriptor]]:
    """Every text of a message and of the messages in it, with the message."""
    if kind.full_name in seen:
        return
    seen.add(kind.full_name)
    for field in kind.fields:
        if field.type == field.TYPE_STRING:
            yield kind, field
        elif field.message_type is not None:
            yield from texts(field.message_type, seen)

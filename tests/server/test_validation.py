"""What every request is checked for, whatever its method."""

import pytest

from casetrail.v1.case_service_pb2 import ListCasesRequest, OpenCaseRequest
from casetrail.v1.types_pb2 import Channel, Kind
from server.errors import InvalidRequest
from server.validation import read


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
    listing = ListCasesRequest()
    listing.filter.order_id = "o\0"
    with pytest.raises(InvalidRequest):
        read(ListCasesRequest, listing.SerializeToString())

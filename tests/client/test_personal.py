"""What Temporal keeps holds nothing personal."""

from casetrail.personal import without_personal_data
from casetrail.v1.case_pb2 import Case, Customer
from casetrail.v1.case_service_pb2 import ExecuteResponse
from casetrail.v1.event_pb2 import Event, Replied
from casetrail.v1.types_pb2 import Attachment, Words


def test_marked_fields_are_emptied_however_deep_they_lie_and_the_rest_stays() -> None:
    words = Words(text="secret", attachments=[Attachment(uri="https://secret", sha256="ab")])
    response = ExecuteResponse(
        case=Case(case_id="INQ-1", subject="secret", customer=Customer(customer_id="cu-1", email="secret@b.example")),
        events=[Event(seq=1, replied=Replied(words=words))],
    )
    whole = response.SerializeToString()

    bare = without_personal_data(response)

    assert b"secret" not in bare.SerializeToString()
    assert bare.case.case_id == "INQ-1"
    assert bare.case.customer.customer_id == "cu-1"
    assert bare.events[0].replied.words.attachments[0].sha256 == "ab"
    assert response.SerializeToString() == whole

"""A command is checked by the rules of its own action, and what they say is what the whole contract says."""

import protovalidate
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from casetrail.v1.case_service_pb2 import ExecuteRequest
from casetrail.v1.command_pb2 import Command
from server.one_action import with_one_action

ACTIONS = [field.name for field in Command.DESCRIPTOR.oneofs_by_name["action"].fields]


def violations(request: Message) -> list[str]:
    return [str(each.proto) for each in protovalidate.collect_violations(request)]


def request_with(action: str, **head: object) -> ExecuteRequest:
    request = ExecuteRequest(command=Command(**head))  # type: ignore[arg-type] # fields by name
    getattr(request.command, action).SetInParent()
    return request


@pytest.mark.parametrize("action", ACTIONS)
def test_one_action_breaks_the_same_rules_as_in_the_whole_contract(action: str) -> None:
    request = request_with(action, case_id="no such number!", request_id="", expected_seq=-1)
    found = violations(with_one_action(request, request.SerializeToString()))
    assert found == violations(request)
    assert len(found) >= 3


@pytest.mark.parametrize("action", ACTIONS)
def test_the_head_of_a_command_is_kept(action: str) -> None:
    request = request_with(action, case_id="INQ-1", request_id="r")
    narrow = with_one_action(request, request.SerializeToString())
    assert MessageToDict(narrow) == MessageToDict(request)


def test_a_command_without_an_action_is_checked_whole() -> None:
    request = ExecuteRequest(command=Command(case_id="INQ-1", request_id="r"))
    assert with_one_action(request, request.SerializeToString()) is request
    assert violations(request)

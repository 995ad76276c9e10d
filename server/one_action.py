"""The rules of a request that carries one command, without the actions that it does not carry.

The rules' library looks at every member of a message, set or not: with some seventy actions that is most of what
checking a command costs. So a command is checked as a message of the contract that knows one action only, made from the
contract's own descriptors: the same fields, numbers, rules and paths.
"""

from functools import cache
from typing import Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from casetrail.v1.case_service_pb2 import ExecuteRequest
from casetrail.v1.command_pb2 import Command

_ACTIONS: Final = Command.DESCRIPTOR.oneofs_by_name["action"]


def with_one_action(request: ExecuteRequest, data: bytes) -> Message:
    """The request as a message that has its rules, and knows no action but its own.

    Args:
        request: What was read.
        data: What it was read from.

    Returns:
        The request itself when it has no action.
    """
    action = request.command.WhichOneof("action")
    return _kind(action).FromString(data) if action else request


@cache
def _kind(action: str) -> type[Message]:
    package = f"casetrail.one_action.{action}"
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.dependency.extend(_imports(ExecuteRequest) | _imports(Command))
    request = file.message_type.add()
    ExecuteRequest.DESCRIPTOR.CopyToProto(request)
    request.field[0].type_name = f".{package}.{Command.DESCRIPTOR.name}"
    _leave_one(file.message_type.add(), action)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{package}.{request.name}"))


def _leave_one(command: DescriptorProto, action: str) -> None:
    Command.DESCRIPTOR.CopyToProto(command)
    others = {field.name for field in _ACTIONS.fields} - {action}
    kept = [field for field in command.field if field.name not in others]
    del command.field[:]
    command.field.extend(kept)


def _imports(kind: type[Message]) -> set[str]:
    """The files that the fields of a message need."""
    file = kind.DESCRIPTOR.file
    return {file.name, *(each.name for each in file.dependencies)}

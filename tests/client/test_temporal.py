"""What a caller that lives in Temporal encrypts before it leaves, and with which key."""

from pathlib import Path

import pytest
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from audit import key_writing
from casetrail.key_file import KeyFile, KeyFileError
from casetrail.payload_keys import payload_key_file
from casetrail.temporal import data_converter
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Words
from casetrail.v1.workflow_pb2 import CaseRun
from tests.asked import command

NOTE = command("INQ-1", note={"words": Words(text="my kettle leaks")})


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    made = payload_key_file(tmp_path / "payload-keys")
    key_writing.make(made)
    return made


async def encoded(file: KeyFile, value: object) -> Payload:
    (payload,) = await data_converter(file.path).encode([value])
    return payload


async def decoded(file: KeyFile, payload: Payload) -> Message:
    (value,) = await data_converter(file.path).decode([payload], [Command])
    assert isinstance(value, Message)
    return value


async def test_what_may_be_personal_is_encrypted_and_says_what_it_is(file: KeyFile) -> None:
    payload = await encoded(file, NOTE)

    assert b"kettle" not in payload.SerializeToString()
    assert payload.metadata["messageType"] == b"casetrail.v1.Command"
    assert await decoded(file, payload) == NOTE


async def test_the_same_command_is_never_encrypted_the_same_way(file: KeyFile) -> None:
    assert (await encoded(file, NOTE)).data != (await encoded(file, NOTE)).data


@pytest.mark.parametrize("value", [CaseRun(case_id="INQ-1"), "INQ-1", 7, None, {"scenario": "s"}])
async def test_everything_else_stays_readable(file: KeyFile, value: object) -> None:
    assert [await encoded(file, value)] == await DataConverter.default.encode([value])


async def test_a_message_that_nobody_here_knows_is_encrypted(file: KeyFile) -> None:
    theirs = Payload(metadata={"encoding": b"binary/protobuf", "messageType": b"of.another.Company"}, data=b"kettle")
    codec = data_converter(file.path).payload_codec
    assert codec is not None

    sealed = await codec.encode([theirs])

    assert b"kettle" not in sealed[0].SerializeToString()
    assert await codec.decode(sealed) == [theirs]
    assert await codec.encode(sealed) == sealed


async def test_what_was_written_in_plain_is_read_as_it_is(file: KeyFile) -> None:
    (plain,) = await DataConverter.default.encode([NOTE])
    assert await decoded(file, plain) == NOTE


async def test_a_failures_words_are_encrypted_and_its_type_is_not(file: KeyFile) -> None:
    converter, failure = data_converter(file.path), Failure()
    error = ApplicationError("your kettle", type="INVALID")
    error.__cause__ = KeyError("my kettle")
    await converter.encode_failure(error, failure)

    assert b"kettle" not in failure.SerializeToString()
    assert failure.application_failure_info.type == "INVALID"
    read = await converter.decode_failure(failure)
    assert (str(read), str(read.__cause__)) == ("INVALID: your kettle", "KeyError: 'my kettle'")


async def test_after_a_new_key_older_payloads_are_still_read_and_it_encrypts_the_next_ones(file: KeyFile) -> None:
    older = await encoded(file, NOTE)

    new = list(key_writing.add(file))[-1]

    assert await decoded(file, older) == NOTE
    assert (await encoded(file, NOTE)).metadata["encryption-key-id"] == new.encode()


async def test_a_process_that_meets_a_new_key_reads_the_file_again(file: KeyFile) -> None:
    running = data_converter(file.path)
    key_writing.add(file)

    newer = await encoded(file, NOTE)

    assert await running.decode([newer], [Command]) == [NOTE]
    assert (await running.encode([NOTE]))[0].metadata["encryption-key-id"] == newer.metadata["encryption-key-id"]


async def test_a_key_that_the_file_does_not_have_is_named(file: KeyFile, tmp_path: Path) -> None:
    other = payload_key_file(tmp_path / "other")
    key_writing.make(other)

    with pytest.raises(KeyFileError, match=r"is not in .*payload-keys.*restore that file"):
        await decoded(file, await encoded(other, NOTE))


async def test_what_could_not_be_opened_is_passed_on_as_it_came(file: KeyFile, tmp_path: Path) -> None:
    other = payload_key_file(tmp_path / "other")
    key_writing.make(other)
    theirs = await encoded(other, NOTE)
    codec = data_converter(file.path).payload_codec
    assert codec is not None

    assert await codec.encode(await codec.decode([theirs])) == [theirs]


async def test_what_was_changed_on_the_way_is_not_read(file: KeyFile) -> None:
    payload = await encoded(file, NOTE)
    for data in (payload.data[:-1] + bytes([payload.data[-1] ^ 1]), payload.data[:5], b""):
        payload.data = data
        with pytest.raises(KeyFileError, match="cannot be opened with the key"):
            await decoded(file, payload)


def test_without_a_file_that_can_be_used_there_is_no_converter(file: KeyFile) -> None:
    file.path.chmod(0o640)
    with pytest.raises(KeyFileError, match="can be read by others"):
        data_converter(file.path)
    file.path.chmod(0o600)
    file.path.write_text("casetrail-kek/v1 0 AAAA\n")
    with pytest.raises(KeyFileError, match="is no file of keys that begin with casetrail-payload-key/v1"):
        data_converter(file.path)
    file.path.write_text("")
    with pytest.raises(KeyFileError, match="holds no key"):
        data_converter(file.path)
    file.path.unlink()
    with pytest.raises(KeyFileError, match="is missing, and what Temporal keeps is encrypted with it"):
        data_converter(file.path)

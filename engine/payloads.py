"""What Temporal gets to keep: in plain, but for what may be personal."""

from pathlib import Path

from temporalio.converter import DataConverter

from audit import payload_key
from audit.log import Log
from casetrail.payload_keys import payload_key_file
from casetrail.temporal import data_converter


async def converter(log: Log, keys: Path) -> DataConverter:
    """Temporal's data converter with the keys of this file, which is made where nothing was encrypted yet.

    Raises:
        KeyFileError: It is missing or has not the key in force, or it cannot be made or used.
        LogUnavailableError: The log cannot say which key is in force.
    """
    await payload_key.begin(log, payload_key_file(keys))
    return data_converter(keys)

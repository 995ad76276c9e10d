"""What Temporal gets to keep: in plain, but for what may be personal."""

from pathlib import Path

from temporalio.converter import DataConverter

from audit import key_writing
from casetrail.payload_keys import payload_key_file
from casetrail.temporal import data_converter


def converter(keys: Path) -> DataConverter:
    """Temporal's data converter with the keys of this file, which is made with a first one where it is missing.

    Raises:
        KeyFileError: It cannot be made, or not be used.
    """
    key_writing.make(payload_key_file(keys))
    return data_converter(keys)

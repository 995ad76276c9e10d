"""Which key encrypts what Temporal keeps: the log remembers the newest that was used, so that no process has another.

A file of payload keys is made only where nothing can have been encrypted yet. A process whose file has not the key in
force is refused, since it could not read what others sent to Temporal, nor they what it would send.
"""

from collections.abc import Mapping
from typing import Final

from audit import key_writing
from audit.log import Log
from casetrail.key_file import KeyFile, KeyFileError

_IN_FORCE: Final = "payload-key"
_WHAT_TO_DO: Final = (
    "restore the file, or copy it from another host; if it is lost for ever, `casetrail-db replace-payload-key` begins "
    "with a new key"
)


async def begin(log: Log, file: KeyFile) -> None:
    """Make sure that the file has the key in force; its newest key is in force from now on.

    Raises:
        KeyFileError: It is missing or another one, or cannot be used.
        LogUnavailableError: The log cannot be asked.
    """
    in_force = await log.recall(_IN_FORCE)
    # The log is asked before the file is looked for: whoever writes an event has made the file before.
    if (in_force or await log.size()) and not file.path.exists():
        raise KeyFileError(f"{file.path} is missing, and {file.use}: {_WHAT_TO_DO}")
    keys = key_writing.make(file)
    if in_force is None or in_force in keys:
        in_force = await log.agree(_IN_FORCE, _newest(keys), instead_of=in_force)
    if in_force not in keys:
        raise KeyFileError(
            f"{file.path} has not the key {in_force}, which encrypts what Temporal keeps of this log: {_WHAT_TO_DO}"
        )


async def replace(log: Log, file: KeyFile) -> tuple[str, str]:
    """Begin with a new key, because the one in force is lost for ever; keys that are left in the file stay.

    Returns:
        The ids of the new key and of the lost one, which is empty where none was remembered.

    Raises:
        KeyFileError: The key in force is not lost, or the file cannot be used.
        LogUnavailableError: The log cannot be asked.
    """
    lost = await log.recall(_IN_FORCE) or ""
    there = file.path.exists()
    if there and lost in file.read():
        raise KeyFileError(f"the key {lost} is not lost, it is in {file.path}: to change it, run rotate-payload-key")
    new = _newest(key_writing.add(file) if there else key_writing.make(file))
    await log.remember(_IN_FORCE, new)
    return new, lost


def _newest(keys: Mapping[str, bytes]) -> str:
    return list(keys)[-1]

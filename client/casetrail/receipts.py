"""Receipts that are kept: a line for each acknowledged write, so that one can hold them against the log years later."""

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from google.protobuf.json_format import MessageToDict

from casetrail.v1.case_service_pb2 import Receipt

LOG_ITSELF = "@log"
"""Stands for a case's number where something happens to the log itself: seals, changes of its key, archives."""

Keep = Callable[[str, str, Receipt], None]
"""Keeps the receipt of a write where they are to be kept: case, request id, receipt."""


class ReceiptFile:
    """A file that receipts are appended to. What it holds is nobody's secret, and names no customer."""

    def __init__(self, path: Path) -> None:
        """Keep them there."""
        self.path = path

    def __enter__(self) -> Self:
        """Open the file, before anything is written that could not be kept.

        Raises:
            OSError: It cannot be written.
        """
        # Without a buffer: what could not be written is not tried again when the file is closed.
        self._file = self.path.open("ab", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def keep(self, case_id: str, request_id: str, receipt: Receipt) -> None:
        """Append a receipt.

        Raises:
            OSError: It could not be kept; the write that it is for has been carried out.
        """
        if not receipt.position:
            return
        line = {"caseId": case_id, "receipt": MessageToDict(receipt), "requestId": request_id}
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"
        try:
            self._file.write(text.encode())
        except OSError as error:
            why = f"{error.strerror}; what was asked for is done, and only its receipt is not kept"
            raise OSError(error.errno, why, str(self.path)) from error

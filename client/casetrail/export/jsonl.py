"""JSON lines with proofs: what an offline verifier reads. The format is described in docs/proof.md."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from casetrail.client import Client
from casetrail.export.selection import Selection


@dataclass(frozen=True, slots=True)
class Written:
    """What an export came to.

    Attributes:
        events: How many it has.
        size: How many the log had at the checkpoint that the export ends at.
        there: How many it had when it was exported.
        witnessed: Whether all of the log's witnesses have signed that checkpoint.
        trouble: Why they have not signed all that there was.
    """

    events: int
    size: int
    there: int
    witnessed: bool
    trouble: Sequence[str]


async def write(
    client: Client,
    selection: Selection,
    file: BinaryIO,
    receipts: Path | None = None,
    *,
    unwitnessed: bool = False,
    personal: bool = False,
) -> Written:
    """Write an export.

    Args:
        client: Where from.
        selection: Which events.
        file: Where to.
        receipts: A file of receipts that goes with them.
        unwitnessed: Up to the newest event, whoever has signed it.
        personal: With what personal fields say.

    Raises:
        ValueError: The file of receipts is none.
    """
    end = _End(file)
    request = selection.request()
    request.unwitnessed = unwitnessed
    request.open_personal = personal
    async for lines in client.export_log(request):
        end.write(lines)
    if receipts is not None:
        with receipts.open(encoding="utf-8", errors="replace") as kept:
            for number, line in enumerate(kept, start=1):
                end.write(_receipt(line, f"{receipts}:{number}"))
    end.close()
    said = json.loads(end.header)
    return Written(
        end.events,
        said["size"],
        said.get("log_size", said["size"]),
        witnessed=said.get("witnessed", False),
        trouble=said.get("unwitnessed_because", []),
    )


def _receipt(line: str, where: str) -> bytes:
    try:
        said = json.loads(line)
        document = {"kind": "receipt"} | {name: said[name] for name in ("caseId", "receipt", "requestId")}
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise ValueError(f"{where}: this is no line of a receipts file") from wrong
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class _End:
    """Counts and hashes what is written, for the last line: without it a file was cut off."""

    def __init__(self, file: BinaryIO) -> None:
        self.events = 0
        self.header = b""
        self._file = file
        self._lines = 0
        self._digest = hashlib.sha256()

    def write(self, lines: bytes) -> None:
        """Write whole lines."""
        self.header = self.header or lines.partition(b"\n")[0]
        self._file.write(lines)
        self._digest.update(lines)
        self._lines += lines.count(b"\n")
        self.events += sum(line.startswith(b'{"kind":"event"') for line in lines.splitlines())

    def close(self) -> None:
        """Write the last line."""
        last = {"kind": "end", "lines": self._lines, "sha256": self._digest.hexdigest()}
        self._file.write(json.dumps(last, separators=(",", ":")).encode() + b"\n")
